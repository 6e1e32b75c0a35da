/*
 * What a plugin finds in its host by dlsym: the functions, the built-ins' structs whose ELF sizes name the layouts,
 * and the functions that mark a release. Serves the stand-in host, which compiles it for one release, loads it before
 * the plugin, and hands it the functions behind. Invariant: no symbol that the release lacks is defined.
 *
 * Compiled with RELEASE (0xXXYYZZ), FILTER_SIZE, INPUT_SIZE, OUTPUT_SIZE, CUSTOM_SIZE, PROCESSOR_SIZE. A symbol is
 * withheld by renaming it on the command line.
 */
#include "fluent_bit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SINCE(major, minor, patch) (RELEASE >= (((major) << 16) | ((minor) << 8) | (patch)))

/* ---- the host behind; tests/support/stand_in_host/shim.rs states the same ---- */

struct stand_in_calls {
    const char *version;
    const char *(*get_property)(const char *key, void *instance);
    const char *(*name)(void *instance);
    void (*set_context)(void *instance, void *context);
    int (*set_property)(void *instance, const char *key, const char *value);
    int (*enable_threads)(void *instance);
    int (*log_check)(void *instance, int level);
    int (*collect_by_time)(void *instance, flb_input_cb collect, long seconds, long nanoseconds);
    int (*collect_by_event)(void *instance, flb_input_cb collect, int fd);
    int (*append)(void *instance, size_t records, const char *tag, size_t tag_len, const void *data, size_t size);
    void (*print)(int level, const char *text, size_t length);
    void *(*worker)(void);
    int (*worker_log_level)(void);
    void *(*parser)(const char *name);
    int (*parse)(void *parser, const char *text, size_t length, void **out, size_t *out_size, struct flb_time *);
};

static struct stand_in_calls host;

void stand_in_connect(const struct stand_in_calls *calls)
{
    host = *calls;
}

/* ---- the built-ins' structs: only their sizes count ---- */

#define BUILT_IN(name, size) __attribute__((aligned(8))) char name[size] = {1}

BUILT_IN(filter_grep_plugin, FILTER_SIZE);
BUILT_IN(filter_modify_plugin, FILTER_SIZE);
BUILT_IN(in_dummy_plugin, INPUT_SIZE);
BUILT_IN(in_emitter_plugin, INPUT_SIZE);
BUILT_IN(in_lib_plugin, INPUT_SIZE);
BUILT_IN(out_null_plugin, OUTPUT_SIZE);
BUILT_IN(custom_calyptia_plugin, CUSTOM_SIZE);
#if PROCESSOR_SIZE > 0
BUILT_IN(processor_labels_plugin, PROCESSOR_SIZE);
#endif

/* ---- functions that mark a release: found, never called ---- */

#define MARKER(name) \
    void name(void) \
    { \
        abort(); \
    }

#if SINCE(2, 1, 0)
MARKER(flb_log_event_decoder_init)
#endif
#if SINCE(2, 1, 4)
MARKER(flb_input_log_append_skip_processor_stages)
#endif
#if SINCE(2, 2, 0)
MARKER(flb_proxy_output_cb_init)
#endif
#if SINCE(3, 1, 0)
MARKER(flb_log_event_decoder_read_groups)
#endif
#if SINCE(3, 2, 0)
MARKER(flb_notification_enqueue)
MARKER(flb_http_client_ng_init)
#endif
#if SINCE(3, 2, 2)
MARKER(flb_lib_response)
#endif
#if SINCE(4, 0, 0)
MARKER(flb_filter_get_global_config_map)
#endif
#if SINCE(4, 0, 3)
MARKER(flb_custom_log_check)
#endif
#if SINCE(4, 1, 0)
MARKER(flb_blob_db_close)
#endif
#if SINCE(4, 2, 0)
MARKER(flb_condition_evaluate_ex)
#endif
#if SINCE(5, 0, 0)
MARKER(flb_mp_normalize_log_buffer_groups_msgpack)
#endif
#if SINCE(5, 0, 3)
MARKER(flb_config_map_get_raw)
MARKER(flb_config_map_translate_dynamic)
#endif
#if SINCE(5, 1, 0)
MARKER(flb_downstream_conn_event_register)
#endif

/* ---- functions that plugins call ---- */

const char *flb_filter_get_property(const char *key, struct flb_filter_instance *filter)
{
    return host.get_property(key, filter);
}

const char *flb_filter_name(struct flb_filter_instance *filter)
{
    return host.name(filter);
}

void flb_filter_set_context(struct flb_filter_instance *filter, void *context)
{
    host.set_context(filter, context);
}

const char *flb_input_get_property(const char *key, struct flb_input_instance *input)
{
    return host.get_property(key, input);
}

const char *flb_input_name(struct flb_input_instance *input)
{
    return host.name(input);
}

void flb_input_set_context(struct flb_input_instance *input, void *context)
{
    host.set_context(input, context);
}

int flb_input_log_check(struct flb_input_instance *input, int level)
{
    return host.log_check(input, level);
}

int flb_input_set_collector_time(struct flb_input_instance *input, flb_input_cb collect, long seconds,
                                 long nanoseconds, struct flb_config *config)
{
    (void) config;
    return host.collect_by_time(input, collect, seconds, nanoseconds);
}

int flb_input_set_collector_event(struct flb_input_instance *input, flb_input_cb collect, int fd,
                                  struct flb_config *config)
{
    (void) config;
    return host.collect_by_event(input, collect, fd);
}

int flb_input_log_append(struct flb_input_instance *input, const char *tag, size_t tag_len, const void *buf,
                         size_t size)
{
    return host.append(input, 0, tag, tag_len, buf, size);
}

int flb_input_log_append_records(struct flb_input_instance *input, size_t records, const char *tag, size_t tag_len,
                                 const void *buf, size_t size)
{
    return host.append(input, records, tag, tag_len, buf, size);
}

const char *flb_output_get_property(const char *key, struct flb_output_instance *output)
{
    return host.get_property(key, output);
}

const char *flb_output_name(struct flb_output_instance *output)
{
    return host.name(output);
}

int flb_output_set_property(struct flb_output_instance *output, const char *key, const char *value)
{
    return host.set_property(output, key, value);
}

int flb_output_enable_multi_threading(struct flb_output_instance *output, struct flb_config *config)
{
    (void) config;
    return host.enable_threads(output);
}

int flb_output_log_check(struct flb_output_instance *output, int level)
{
    return host.log_check(output, level);
}

void flb_log_print(int level, const char *file, int line, const char *format, ...)
{
    char text[8192];
    va_list arguments;

    (void) file;
    (void) line;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (length >= (int) sizeof(text)) {
        length = sizeof(text) - 1;
    }
    if (length >= 0) {
        host.print(level, text, (size_t) length);
    }
}

struct flb_worker *flb_worker_get(void)
{
    return host.worker();
}

int flb_worker_log_level(struct flb_worker *worker)
{
    (void) worker;
    return host.worker_log_level();
}

struct flb_parser *flb_parser_get(const char *name, struct flb_config *config)
{
    (void) config;
    return host.parser(name);
}

int flb_parser_do(struct flb_parser *parser, const char *text, size_t length, void **out_buf, size_t *out_size,
                  struct flb_time *out_time)
{
    return host.parse(parser, text, length, out_buf, out_size, out_time);
}

/* ---- the version, as a metric's label ---- */

struct cmt {
    int has_build_info;
};

struct cmt *cmt_create(void)
{
    return calloc(1, sizeof(struct cmt));
}

void cmt_destroy(struct cmt *metrics)
{
    free(metrics);
}

int flb_metrics_fluentbit_add(struct flb_config *config, struct cmt *metrics)
{
    (void) config;
    metrics->has_build_info = 1;
    return 0;
}

char *cmt_encode_text_create(struct cmt *metrics)
{
    char *text = calloc(1, 256);

    if (text != NULL && metrics->has_build_info) {
        snprintf(text, 256,
                 "2026-01-01T00:00:00.000000000Z "
                 "fluentbit_build_info{hostname=\"stand-in\",version=\"%s\",os=\"linux\"} = 1\n",
                 host.version);
    }
    return text;
}

void cmt_encode_text_destroy(char *text)
{
    free(text);
}

/* ---- for the host itself: its table for proxied plugins has the printing function ---- */

void *stand_in_log_print(void)
{
    return (void *) flb_log_print;
}
