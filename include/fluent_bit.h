/*
 * The host's binary interface, as far as flb-kube uses it: Fluent Bit v2.0.0 to v5.1.1, LP64.
 *
 * Serves src/abi (through bindgen: src/abi/sys.rs is what bindgen makes of this file, see tests/bindings) and the
 * stand-in host of the tests. Our own statement of facts; nothing here is copied from the host's headers. Each
 * struct says where the host declares it and since which release it has this shape. A layout's number is its size
 * in bytes, which is also how a plugin recognises it at run time: as the ELF size of a built-in's struct.
 *
 * Invariant: a layout that is stated here never changes; a new release that moves a field gets a new struct.
 */
#ifndef FLB_KUBE_FLUENT_BIT_H
#define FLB_KUBE_FLUENT_BIT_H

#include <stddef.h>
#include <stdint.h>

/* ---- constants; the same in every release from 2.0.0 to 5.1.1 unless said otherwise ---- */

/* What cb_filter answers (include/fluent-bit/flb_filter.h). */
#define FLB_FILTER_MODIFIED 1
#define FLB_FILTER_NOTOUCH 2

/* What a flush answers (include/fluent-bit/flb_macros.h). */
#define FLB_ERROR 0
#define FLB_OK 1
#define FLB_RETRY 2

/* Log levels (include/fluent-bit/flb_log.h). */
#define FLB_LOG_OFF 0
#define FLB_LOG_ERROR 1
#define FLB_LOG_WARN 2
#define FLB_LOG_INFO 3
#define FLB_LOG_DEBUG 4
#define FLB_LOG_TRACE 5

/* Types of a config map row (include/fluent-bit/flb_config_map.h). */
#define FLB_CONFIG_MAP_STR 0
#define FLB_CONFIG_MAP_INT 2
#define FLB_CONFIG_MAP_BOOL 3
#define FLB_CONFIG_MAP_SIZE 5
#define FLB_CONFIG_MAP_TIME 6
/* flags: the key may stand in several rows */
#define FLB_CONFIG_MAP_MULT 1

/* Flags of an input (include/fluent-bit/flb_input.h): it runs in a thread of its own. */
#define FLB_INPUT_THREADED 1024

/* Proxied plugins (include/fluent-bit/flb_plugin_proxy.h). */
#define FLB_PROXY_OUTPUT_PLUGIN 2
#define FLB_PROXY_GOLANG 11

/* The logs bit of an output's event_type (include/fluent-bit/flb_output.h). */
#define FLB_OUTPUT_LOGS 1

/* ---- opaque to us: their insides move between releases ---- */

struct flb_config;
struct flb_filter_instance;
struct flb_input_instance;
struct flb_output_instance;
struct flb_parser;
struct flb_worker;
struct cmt;
struct cmt_counter;
struct cmt_gauge;
struct cio_ctx;

/*
 * The first words of struct flb_config (include/fluent-bit/flb_config.h): the same in every release, behind an event
 * of 72 bytes. is_running falls when the engine goes down for good, before it joins its workers.
 */
struct flb_config_head {
    uint64_t ch_event[9];
    int support_mode;
    int is_ingestion_active;
    int is_shutting_down;
    int is_running;
};

/*
 * What struct flb_config keeps of hot reloads (include/fluent-bit/flb_config.h), the same from 2.2.0 to 3.0.7. Where it
 * begins is the offset of the option "Hot_Reload" in the host's own table, service_configs (src/flb_config.c), whose last
 * row has no key.
 */
struct flb_hot_reload {
    int enable_hot_reload;
    int ensure_thread_safety_on_hot_reloading;
    unsigned int hot_reloaded_count;
    int shutdown_by_hot_reloading;
    int hot_reloading;
};

struct flb_service_config {
    char *key;
    int type;
    size_t offset;
};

/* Where struct flb_worker (include/fluent-bit/flb_worker.h) keeps its struct flb_config: until 2.0.8, and since. */
#define FLB_WORKER_CONFIG_2_0_0 104
#define FLB_WORKER_CONFIG_2_0_9 112

/* Where struct flb_filter_instance (include/fluent-bit/flb_filter.h) keeps its log level: in 2.0, and since. */
#define FLB_FILTER_LOG_LEVEL_2_0_0 4
#define FLB_FILTER_LOG_LEVEL_2_1_0 8

/* lib/monkey/include/monkey/mk_core/mk_list.h: a link of a host list. */
struct mk_list {
    struct mk_list *prev;
    struct mk_list *next;
};

/*
 * The front of struct flb_filter_instance (include/fluent-bit/flb_filter.h), as stock builds have it: with regular
 * expressions and metrics. The host allocates it zeroed, makes `cmt` before cb_init, and destroys it after cb_exit
 * (src/flb_filter.c: flb_filter_new, flb_filter_init, flb_filter_instance_destroy; for processors the same, from
 * src/flb_processor.c). Its metrics exporter walks all filters' cmt on the engine's thread.
 */

/* 2.0.0 to 2.0.14. */
struct flb_filter_instance_184 {
    int id;
    int log_level;
    char name[32];
    const char *alias; /* what flb_filter_name answers, if it is set */
    void *match[2];
    void *context;
    void *data;
    void *p; /* struct flb_filter_plugin: its second word is the plugin's name, in every layout */
    struct mk_list properties;
    struct mk_list *config_map;
    struct mk_list _head;
    struct cmt *cmt;
    void *counters[4];
    void *metrics;
    struct flb_config *config;
};

/* 2.1.0 to 2.1.3: gains two words at the front. */
struct flb_filter_instance_192 {
    int event_type;
    int id;
    int log_level;
    int log_suppress_interval;
    char name[32];
    const char *alias;
    void *match[2];
    void *context;
    void *data;
    void *p;
    struct mk_list properties;
    struct mk_list *config_map;
    struct mk_list _head;
    struct cmt *cmt;
    void *counters[4];
    void *metrics;
    struct flb_config *config;
};

/* 2.1.4 to 3.1.10: gains parent_processor. */
struct flb_filter_instance_200 {
    int event_type;
    int id;
    int log_level;
    int log_suppress_interval;
    char name[32];
    const char *alias;
    void *match[2];
    void *parent_processor;
    void *context;
    void *data;
    void *p;
    struct mk_list properties;
    struct mk_list *config_map;
    struct mk_list _head;
    struct cmt *cmt;
    void *counters[4];
    void *metrics;
    struct flb_config *config;
};

/* Since 3.2.0: gains a counter and notification_channel. */
struct flb_filter_instance_216 {
    int event_type;
    int id;
    int log_level;
    int log_suppress_interval;
    char name[32];
    const char *alias;
    void *match[2];
    void *parent_processor;
    void *context;
    void *data;
    void *p;
    struct mk_list properties;
    struct mk_list *config_map;
    struct mk_list _head;
    struct cmt *cmt;
    void *counters[5];
    void *metrics;
    int notification_channel;
    struct flb_config *config;
};

/* An input's storage (include/fluent-bit/flb_storage.h, lib/chunkio/include/chunkio/cio_stream.h): in every release. */
struct cio_stream {
    int type;
    char *name;
    struct mk_list _head;
    struct mk_list chunks;
    struct mk_list chunks_up;
    struct mk_list chunks_down;
    void *parent; /* the struct cio_ctx again */
};
struct flb_storage_input {
    int type;
    struct cio_stream *stream;
    struct cio_ctx *cio;
};

/* ---- config maps: the host walks an array until name is NULL ---- */

/* include/fluent-bit/flb_config_map.h, 2.0.0 to 5.0.2. `name`, `def_value` and `desc` are plain C strings here. */
struct flb_config_map_96 {
    int type;
    const char *name;
    const char *def_value;
    int flags;
    int set_property; /* 0: the host writes nothing into our memory */
    uintptr_t offset;
    const char *desc;
    uint64_t host_owned[6]; /* value, multi-value list, link */
};

/* The same since 5.0.3: the host's own part gained a word. */
struct flb_config_map_104 {
    int type;
    const char *name;
    const char *def_value;
    int flags;
    int set_property;
    uintptr_t offset;
    const char *desc;
    uint64_t host_owned[7];
};

/* ---- filters: include/fluent-bit/flb_filter.h ---- */

typedef int (*flb_filter_cb_init)(struct flb_filter_instance *, struct flb_config *, void *data);
typedef int (*flb_filter_cb_filter)(const void *data, size_t bytes, const char *tag, int tag_len, void **out_buf,
                                    size_t *out_size, struct flb_filter_instance *, struct flb_input_instance *,
                                    void *context, struct flb_config *);
typedef int (*flb_cb_exit)(void *context, struct flb_config *);

/* 2.0.0 to 2.1.10. Until 2.0.14 the first word is `flags`, which nobody reads. */
struct flb_filter_plugin_72 {
    int event_type;
    int flags;
    const char *name;
    const char *description;
    void *config_map;
    flb_filter_cb_init cb_init;
    flb_filter_cb_filter cb_filter;
    flb_cb_exit cb_exit;
    struct mk_list _head;
};

/* 2.2.0 to 3.1.10: gains cb_pre_run. */
struct flb_filter_plugin_80 {
    int event_type;
    int flags;
    const char *name;
    const char *description;
    void *config_map;
    flb_filter_cb_init cb_pre_run;
    flb_filter_cb_init cb_init;
    flb_filter_cb_filter cb_filter;
    flb_cb_exit cb_exit;
    struct mk_list _head;
};

/* Since 3.2.0: gains cb_notification. */
struct flb_filter_plugin_88 {
    int event_type;
    int flags;
    const char *name;
    const char *description;
    void *config_map;
    flb_filter_cb_init cb_pre_run;
    flb_filter_cb_init cb_init;
    flb_filter_cb_filter cb_filter;
    flb_cb_exit cb_exit;
    flb_filter_cb_init cb_notification;
    struct mk_list _head;
};

/* ---- inputs: include/fluent-bit/flb_input.h ---- */

typedef int (*flb_input_cb)(struct flb_input_instance *, struct flb_config *, void *data_or_context);
typedef void (*flb_input_cb_pause)(void *context, struct flb_config *);
typedef void (*flb_input_cb_destroy)(void *plugin);

/* 2.0.0 to 2.0.6. */
struct flb_input_plugin_144 {
    int type;
    void *proxy;
    int flags;
    int event_type; /* 2.0.0 alone reads it; 0 is logs; padding everywhere else */
    const char *name;
    const char *description;
    void *config_map;
    flb_input_cb cb_init;
    flb_input_cb cb_pre_run;
    flb_input_cb cb_collect;
    void *cb_flush_buf;
    void *cb_flush_end;
    flb_input_cb_pause cb_pause;
    flb_input_cb_pause cb_resume;
    void *cb_ingest;
    flb_cb_exit cb_exit;
    void *instance;
    struct mk_list _head;
};

/* 2.0.7 to 3.1.10: gains cb_destroy, which must stay NULL (it is called after our code is unmapped). */
struct flb_input_plugin_152 {
    int type;
    void *proxy;
    int flags;
    const char *name;
    const char *description;
    void *config_map;
    flb_input_cb cb_init;
    flb_input_cb cb_pre_run;
    flb_input_cb cb_collect;
    void *cb_flush_buf;
    void *cb_flush_end;
    flb_input_cb_pause cb_pause;
    flb_input_cb_pause cb_resume;
    void *cb_ingest;
    flb_cb_exit cb_exit;
    flb_input_cb_destroy cb_destroy;
    void *instance;
    struct mk_list _head;
};

/* 3.2.0 to 3.2.2: gains cb_notification. */
struct flb_input_plugin_160 {
    int type;
    void *proxy;
    int flags;
    const char *name;
    const char *description;
    void *config_map;
    flb_input_cb cb_init;
    flb_input_cb cb_pre_run;
    flb_input_cb cb_collect;
    flb_input_cb cb_notification;
    void *cb_flush_buf;
    void *cb_flush_end;
    flb_input_cb_pause cb_pause;
    flb_input_cb_pause cb_resume;
    void *cb_ingest;
    flb_cb_exit cb_exit;
    flb_input_cb_destroy cb_destroy;
    void *instance;
    struct mk_list _head;
};

/* 3.2.3 to 5.0.9: gains a test hook of 48 bytes. */
struct flb_input_plugin_208 {
    int type;
    void *proxy;
    int flags;
    const char *name;
    const char *description;
    void *config_map;
    flb_input_cb cb_init;
    flb_input_cb cb_pre_run;
    flb_input_cb cb_collect;
    flb_input_cb cb_notification;
    void *cb_flush_buf;
    void *cb_flush_end;
    flb_input_cb_pause cb_pause;
    flb_input_cb_pause cb_resume;
    void *cb_ingest;
    flb_cb_exit cb_exit;
    flb_input_cb_destroy cb_destroy;
    uint64_t test_formatter[6];
    void *instance;
    struct mk_list _head;
};

/* Since 5.1.0: gains checked pause and resume, and cb_pre_exit. */
struct flb_input_plugin_232 {
    int type;
    void *proxy;
    int flags;
    const char *name;
    const char *description;
    void *config_map;
    flb_input_cb cb_init;
    flb_input_cb cb_pre_run;
    flb_input_cb cb_collect;
    flb_input_cb cb_notification;
    void *cb_flush_buf;
    void *cb_flush_end;
    flb_input_cb_pause cb_pause;
    flb_input_cb_pause cb_resume;
    flb_cb_exit cb_pause_checked;
    flb_cb_exit cb_resume_checked;
    void *cb_ingest;
    flb_input_cb_pause cb_pre_exit;
    flb_cb_exit cb_exit;
    flb_input_cb_destroy cb_destroy;
    uint64_t test_formatter[6];
    void *instance;
    struct mk_list _head;
};

/* ---- proxied outputs: include/fluent-bit/flb_plugin_proxy.h, src/proxy/go/go.h ---- */

/* What FLBPluginRegister fills. 2.0.0 to 4.2.2; the host allocates it without clearing until 4.2.2. */
struct flb_plugin_proxy_def_32 {
    int type;
    int proxy;
    int flags;
    const char *name;
    const char *description;
};

/* 4.2.3 to 5.1.0: gains event_type, 0 being logs. */
struct flb_plugin_proxy_def_40 {
    int type;
    int proxy;
    int flags;
    const char *name;
    const char *description;
    int event_type;
};

/* Since 5.1.1: gains config_map, so that the host can check keys. */
struct flb_plugin_proxy_def_48 {
    int type;
    int proxy;
    int flags;
    const char *name;
    const char *description;
    int event_type;
    void *config_map;
};

/* The host's functions for proxied plugins (include/fluent-bit/flb_api.h): the part that every release has. */
struct flb_api {
    const char *(*output_get_property)(const char *key, struct flb_output_instance *);
    const char *(*input_get_property)(const char *key, struct flb_input_instance *);
    struct cmt *(*output_get_cmt_instance)(struct flb_output_instance *);
    struct cmt *(*input_get_cmt_instance)(struct flb_input_instance *);
    void (*log_print)(int level, const char *file, int line, const char *format, ...);
    int (*input_log_check)(struct flb_input_instance *, int level);
    int (*output_log_check)(struct flb_output_instance *, int level);
};

/* Since 4.0.3 the host's table has two more functions behind (custom plugins): 72 bytes. */
struct flb_api_72 {
    struct flb_api common;
    const char *(*custom_get_property)(const char *key, void *);
    int (*custom_log_check)(void *, int level);
};

/* An output instance's context; remote_context is ours (16 bytes in every release). */
struct flb_plugin_proxy_context {
    void *remote_context;
    void *proxy;
};

/* What FLBPluginInit receives for an output (72 bytes in every release). */
struct flbgo_output_plugin {
    const char *name;
    const struct flb_api *api;
    struct flb_output_instance *o_ins;
    struct flb_plugin_proxy_context *context;
    void *cb_init;
    void *cb_flush;
    void *cb_flush_ctx;
    void *cb_exit;
    void *cb_exit_ctx;
};

/*
 * ---- functions that the host exports, resolved with dlsym: NAME_fn is the type of NAME; the same in every release
 * from 2.0.0 to 5.1.1 ----
 */

typedef const char *flb_filter_get_property_fn(const char *key, struct flb_filter_instance *);
typedef const char *flb_filter_name_fn(struct flb_filter_instance *);
typedef void flb_filter_set_context_fn(struct flb_filter_instance *, void *context);

typedef const char *flb_input_get_property_fn(const char *key, struct flb_input_instance *);
typedef const char *flb_input_name_fn(struct flb_input_instance *);
typedef void flb_input_set_context_fn(struct flb_input_instance *, void *context);
typedef int flb_input_log_check_fn(struct flb_input_instance *, int level);
typedef int flb_input_set_collector_time_fn(struct flb_input_instance *, flb_input_cb collect, long seconds,
                                            long nanoseconds, struct flb_config *);
typedef int flb_input_set_collector_event_fn(struct flb_input_instance *, flb_input_cb collect, int fd,
                                             struct flb_config *);
typedef int flb_input_log_append_fn(struct flb_input_instance *, const char *tag, size_t tag_len, const void *buf,
                                    size_t size);
typedef int flb_input_log_append_records_fn(struct flb_input_instance *, size_t records, const char *tag,
                                            size_t tag_len, const void *buf, size_t size);

/* How a filter makes an input of its own, as the built-in filters that emit records do. */
typedef struct flb_input_instance *flb_input_new_fn(struct flb_config *, const char *plugin, void *data,
                                                    int public_only);
typedef int flb_input_set_property_fn(struct flb_input_instance *, const char *key, const char *value);
typedef int flb_input_instance_init_fn(struct flb_input_instance *, struct flb_config *);
typedef void flb_input_instance_destroy_fn(struct flb_input_instance *);
typedef int flb_storage_input_create_fn(struct cio_ctx *, struct flb_input_instance *);
/* What the host's flush timer calls: hands chunks to outputs. */
typedef int flb_engine_flush_fn(struct flb_config *, void *input);

typedef const char *flb_output_name_fn(struct flb_output_instance *);
typedef int flb_output_set_property_fn(struct flb_output_instance *, const char *key, const char *value);
typedef int flb_output_enable_multi_threading_fn(struct flb_output_instance *, struct flb_config *);

typedef void flb_log_print_fn(int level, const char *file, int line, const char *format, ...);
typedef struct flb_worker *flb_worker_get_fn(void);
typedef int flb_worker_log_level_fn(struct flb_worker *);

/* A parser of the host's parsers file: `do` answers < 0 for no match, else a msgpack map to be given to free(). */
struct flb_time {
    int64_t seconds;
    int64_t nanoseconds;
};
typedef struct flb_parser *flb_parser_get_fn(const char *name, struct flb_config *);
typedef int flb_parser_do_fn(struct flb_parser *, const char *text, size_t length, void **out_buf, size_t *out_size,
                             struct flb_time *out_time);

/* The host's version, only to be had as a metric's label: add the build information to a registry, print that. */
typedef struct cmt *cmt_create_fn(void);
typedef void cmt_destroy_fn(struct cmt *);
typedef int flb_metrics_fluentbit_add_fn(struct flb_config *, struct cmt *);
/*
 * Metrics of our own (lib/cmetrics). `create` copies all texts and links the family into the registry; `set` of labels
 * that were set before writes atomics and links nothing, `set` of others does. Time is in nanoseconds since 1970.
 */
typedef struct cmt_counter *cmt_counter_create_fn(struct cmt *, const char *ns, const char *subsystem, const char *name,
                                                  const char *help, int labels, const char *const *keys);
typedef int cmt_counter_set_fn(struct cmt_counter *, uint64_t time, double value, int labels,
                               const char *const *values);
typedef struct cmt_gauge *cmt_gauge_create_fn(struct cmt *, const char *ns, const char *subsystem, const char *name,
                                              const char *help, int labels, const char *const *keys);
typedef int cmt_gauge_set_fn(struct cmt_gauge *, uint64_t time, double value, int labels, const char *const *values);

typedef char *cmt_encode_text_create_fn(struct cmt *); /* an sds string: NUL-terminated */
typedef void cmt_encode_text_destroy_fn(char *);

#endif
