/*
 * What a plugin finds in its host by dlsym: the functions, the built-ins' structs whose ELF sizes name the layouts,
 * and the functions that mark a release. Serves the stand-in host, which compiles it for one release, loads it before
 * the plugin, and hands it the functions behind. Invariant: no symbol that the release lacks is defined.
 *
 * Compiled with RELEASE (0xXXYYZZ), FILTER_SIZE, INPUT_SIZE, OUTPUT_SIZE, CUSTOM_SIZE, PROCESSOR_SIZE. A symbol is
 * withheld by renaming it on the command line.
 */
#define _GNU_SOURCE
#include "fluent_bit.h"

#include <pthread.h>
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

/* ---- the built-ins' structs: their sizes count, and for two of them where what they show stands ---- */

#define BUILT_IN(name, size) __attribute__((aligned(8))) char name[size] = {1}

static int unused(void)
{
    return -1;
}

#if SINCE(5, 0, 3)
static struct flb_config_map_104 options[] = {
#else
static struct flb_config_map_96 options[] = {
#endif
    {.type = 1, .name = "first"}, {.type = 2, .name = "second"}, {0}
};

/* What a built-in shows of its layout; with SWAPPED name and description have changed places. */
#ifdef SWAPPED
#define SHOWN(text) .description = text, .name = "swapped"
#else
#define SHOWN(text) .name = text
#endif
#define PASTE(kind, size) kind##size
#define STRUCT_OF(kind, size) PASTE(kind, size)
#define FILTER_STRUCT struct STRUCT_OF(flb_filter_plugin_, FILTER_SIZE)
#define INPUT_STRUCT struct STRUCT_OF(flb_input_plugin_, INPUT_SIZE)
#define SHOWING(type, symbol, text) \
    __attribute__((aligned(8))) type symbol = { \
        SHOWN(text), .config_map = options, .cb_init = (void *) unused, .cb_exit = (void *) unused \
    }

#if FILTER_SIZE == 72 || FILTER_SIZE == 80 || FILTER_SIZE == 88
SHOWING(FILTER_STRUCT, filter_grep_plugin, "grep");
#else
BUILT_IN(filter_grep_plugin, FILTER_SIZE);
#endif
BUILT_IN(filter_modify_plugin, FILTER_SIZE);
#if INPUT_SIZE == 144 || INPUT_SIZE == 152 || INPUT_SIZE == 160 || INPUT_SIZE == 208 || INPUT_SIZE == 232
SHOWING(INPUT_STRUCT, in_dummy_plugin, "dummy");
#else
BUILT_IN(in_dummy_plugin, INPUT_SIZE);
#endif
BUILT_IN(in_emitter_plugin, INPUT_SIZE);
BUILT_IN(in_lib_plugin, INPUT_SIZE);
BUILT_IN(out_null_plugin, OUTPUT_SIZE);
BUILT_IN(custom_calyptia_plugin, CUSTOM_SIZE);
#if PROCESSOR_SIZE > 0
BUILT_IN(processor_labels_plugin, PROCESSOR_SIZE);
#endif

/* ---- where struct flb_config has its options ---- */

struct flb_service_config service_configs[] = {
#if SINCE(2, 1, 0)
    {"Hot_Reload", 5, STAND_IN_HOT_RELOAD},
#endif
#if SINCE(2, 2, 0)
    {"Hot_Reload.Ensure_Thread_Safety", 5, STAND_IN_HOT_RELOAD + sizeof(int)},
#endif
    {NULL, 0, 0}
};

/* ---- functions that mark a release: found, never called ---- */

#define MARKER(name) \
    void name(void) \
    { \
        abort(); \
    }

#if SINCE(2, 0, 7)
MARKER(proxy_go_input_unregister)
#endif
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

/*
 * ---- metrics: as much of cmetrics as plugins use. Stricter than the real one: whoever makes a name or a label on
 * another thread than the registry's, or touches a registry after its end, ends the host ----
 */

#define ALIVE 0x616c6976

struct sample {
    struct sample *next;
    char *labels;
    uint64_t bits;
};

struct family {
    struct family *next;
    struct cmt *registry;
    int is_counter;
    int labels;
    char *name;
    char *help;
    char *keys[2];
    struct sample *samples;
};

struct cmt {
    int alive;
    int has_build_info;
    pthread_t maker;
    struct family *families;
};

static void check(struct cmt *metrics, int changes)
{
    if (__atomic_load_n(&metrics->alive, __ATOMIC_ACQUIRE) != ALIVE
        || (changes && !pthread_equal(metrics->maker, pthread_self()))) {
        fputs("metrics: touched after their end, or changed by a thread that must not\n", stderr);
        abort();
    }
}

struct cmt *cmt_create(void)
{
    struct cmt *metrics = calloc(1, sizeof(struct cmt));

    if (metrics != NULL) {
        metrics->alive = ALIVE;
        metrics->maker = pthread_self();
    }
    return metrics;
}

/* What is small stays, so that a touch after the end is told. */
void cmt_destroy(struct cmt *metrics)
{
    __atomic_store_n(&metrics->alive, 0, __ATOMIC_RELEASE);
}

static struct family *family(struct cmt *metrics, int is_counter, const char *ns, const char *subsystem,
                             const char *name, const char *help, int labels, const char *const *keys)
{
    char full[256];
    struct family *made;
    struct family **last = &metrics->families;

    check(metrics, 1);
    made = calloc(1, sizeof(struct family));
    snprintf(full, sizeof(full), "%s_%s_%s", ns, subsystem, name);
    made->registry = metrics;
    made->is_counter = is_counter;
    made->labels = labels;
    made->name = strdup(full);
    made->help = strdup(help);
    for (int at = 0; at < labels && at < 2; at++) {
        made->keys[at] = strdup(keys[at]);
    }
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = made;
    return made;
}

static int set(struct family *family, double value, int labels, const char *const *values)
{
    char text[512] = "";
    uint64_t bits;
    double before;
    struct sample **at = &family->samples;

    check(family->registry, 0);
    if (labels != family->labels) {
        return -1;
    }
    for (int label = 0; label < labels; label++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof(text) - used, "%s%s=\"%s\"", label ? "," : "", family->keys[label],
                 values[label]);
    }
    while (*at != NULL && strcmp((*at)->labels, text) != 0) {
        at = &(*at)->next;
    }
    if (*at == NULL) {
        check(family->registry, 1);
        *at = calloc(1, sizeof(struct sample));
        (*at)->labels = strdup(text);
    }
    bits = __atomic_load_n(&(*at)->bits, __ATOMIC_RELAXED);
    memcpy(&before, &bits, sizeof(before));
    if (family->is_counter && before > value) {
        return -1;
    }
    memcpy(&bits, &value, sizeof(bits));
    __atomic_store_n(&(*at)->bits, bits, __ATOMIC_RELAXED);
    return 0;
}

struct cmt_counter *cmt_counter_create(struct cmt *metrics, const char *ns, const char *subsystem, const char *name,
                                       const char *help, int labels, const char *const *keys)
{
    return (struct cmt_counter *) family(metrics, 1, ns, subsystem, name, help, labels, keys);
}

int cmt_counter_set(struct cmt_counter *counter, uint64_t time, double value, int labels, const char *const *values)
{
    (void) time;
    return set((struct family *) counter, value, labels, values);
}

struct cmt_gauge *cmt_gauge_create(struct cmt *metrics, const char *ns, const char *subsystem, const char *name,
                                   const char *help, int labels, const char *const *keys)
{
    return (struct cmt_gauge *) family(metrics, 0, ns, subsystem, name, help, labels, keys);
}

int cmt_gauge_set(struct cmt_gauge *gauge, uint64_t time, double value, int labels, const char *const *values)
{
    (void) time;
    return set((struct family *) gauge, value, labels, values);
}

/* For the host itself: the numbers in Prometheus' format, to be given to free(). */
char *stand_in_metrics_text(struct cmt *metrics)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    check(metrics, 0);
    for (struct family *family = metrics->families; family != NULL; family = family->next) {
        fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help, family->name,
                family->is_counter ? "counter" : "gauge");
        for (struct sample *sample = family->samples; sample != NULL; sample = sample->next) {
            uint64_t bits = __atomic_load_n(&sample->bits, __ATOMIC_RELAXED);
            double value;
            memcpy(&value, &bits, sizeof(value));
            fprintf(out, "%s{%s} %.17g\n", family->name, sample->labels, value);
        }
    }
    fclose(out);
    return text;
}

/* Not by their exported names: a test may have withheld those. */
struct cmt *stand_in_metrics_create(void)
{
    return cmt_create();
}

void stand_in_metrics_destroy(struct cmt *metrics)
{
    cmt_destroy(metrics);
}

/* ---- the version, as a metric's label ---- */

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
