//! The host's binary interface: what bindgen makes of `include/fluent_bit.h`. Never edited by hand; see
//! `tests/bindings`.

pub const FLB_FILTER_MODIFIED: i32 = 1;
pub const FLB_FILTER_NOTOUCH: i32 = 2;
pub const FLB_ERROR: i32 = 0;
pub const FLB_OK: i32 = 1;
pub const FLB_RETRY: i32 = 2;
pub const FLB_LOG_OFF: i32 = 0;
pub const FLB_LOG_ERROR: i32 = 1;
pub const FLB_LOG_WARN: i32 = 2;
pub const FLB_LOG_INFO: i32 = 3;
pub const FLB_LOG_DEBUG: i32 = 4;
pub const FLB_LOG_TRACE: i32 = 5;
pub const FLB_CONFIG_MAP_STR: i32 = 0;
pub const FLB_CONFIG_MAP_INT: i32 = 2;
pub const FLB_CONFIG_MAP_BOOL: i32 = 3;
pub const FLB_CONFIG_MAP_SIZE: i32 = 5;
pub const FLB_CONFIG_MAP_TIME: i32 = 6;
pub const FLB_CONFIG_MAP_MULT: i32 = 1;
pub const FLB_INPUT_THREADED: i32 = 1024;
pub const FLB_PROXY_OUTPUT_PLUGIN: i32 = 2;
pub const FLB_PROXY_GOLANG: i32 = 11;
pub const FLB_OUTPUT_LOGS: i32 = 1;
pub const FLB_WORKER_CONFIG_2_0_0: i32 = 104;
pub const FLB_WORKER_CONFIG_2_0_9: i32 = 112;
pub const FLB_FILTER_LOG_LEVEL_2_0_0: i32 = 4;
pub const FLB_FILTER_LOG_LEVEL_2_1_0: i32 = 8;
#[repr(C)]
#[derive(Debug)]
pub struct flb_config {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct flb_filter_instance {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct flb_input_instance {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct flb_output_instance {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct flb_parser {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct flb_worker {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct cmt {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct cmt_counter {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct cmt_gauge {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct cio_ctx {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct flb_config_head {
    pub ch_event: [u64; 9usize],
    pub support_mode: ::core::ffi::c_int,
    pub is_ingestion_active: ::core::ffi::c_int,
    pub is_shutting_down: ::core::ffi::c_int,
    pub is_running: ::core::ffi::c_int,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of flb_config_head"][::core::mem::size_of::<flb_config_head>() - 88usize];
    ["Alignment of flb_config_head"][::core::mem::align_of::<flb_config_head>() - 8usize];
    ["Offset of field: flb_config_head::ch_event"]
        [::core::mem::offset_of!(flb_config_head, ch_event) - 0usize];
    ["Offset of field: flb_config_head::support_mode"]
        [::core::mem::offset_of!(flb_config_head, support_mode) - 72usize];
    ["Offset of field: flb_config_head::is_ingestion_active"]
        [::core::mem::offset_of!(flb_config_head, is_ingestion_active) - 76usize];
    ["Offset of field: flb_config_head::is_shutting_down"]
        [::core::mem::offset_of!(flb_config_head, is_shutting_down) - 80usize];
    ["Offset of field: flb_config_head::is_running"]
        [::core::mem::offset_of!(flb_config_head, is_running) - 84usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct flb_hot_reload {
    pub enable_hot_reload: ::core::ffi::c_int,
    pub ensure_thread_safety_on_hot_reloading: ::core::ffi::c_int,
    pub hot_reloaded_count: ::core::ffi::c_uint,
    pub shutdown_by_hot_reloading: ::core::ffi::c_int,
    pub hot_reloading: ::core::ffi::c_int,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of flb_hot_reload"][::core::mem::size_of::<flb_hot_reload>() - 20usize];
    ["Alignment of flb_hot_reload"][::core::mem::align_of::<flb_hot_reload>() - 4usize];
    ["Offset of field: flb_hot_reload::enable_hot_reload"]
        [::core::mem::offset_of!(flb_hot_reload, enable_hot_reload) - 0usize];
    ["Offset of field: flb_hot_reload::ensure_thread_safety_on_hot_reloading"]
        [::core::mem::offset_of!(flb_hot_reload, ensure_thread_safety_on_hot_reloading) - 4usize];
    ["Offset of field: flb_hot_reload::hot_reloaded_count"]
        [::core::mem::offset_of!(flb_hot_reload, hot_reloaded_count) - 8usize];
    ["Offset of field: flb_hot_reload::shutdown_by_hot_reloading"]
        [::core::mem::offset_of!(flb_hot_reload, shutdown_by_hot_reloading) - 12usize];
    ["Offset of field: flb_hot_reload::hot_reloading"]
        [::core::mem::offset_of!(flb_hot_reload, hot_reloading) - 16usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct flb_service_config {
    pub key: *mut ::core::ffi::c_char,
    pub type_: ::core::ffi::c_int,
    pub offset: usize,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of flb_service_config"][::core::mem::size_of::<flb_service_config>() - 24usize];
    ["Alignment of flb_service_config"][::core::mem::align_of::<flb_service_config>() - 8usize];
    ["Offset of field: flb_service_config::key"][::core::mem::offset_of!(flb_service_config, key) - 0usize];
    ["Offset of field: flb_service_config::type_"]
        [::core::mem::offset_of!(flb_service_config, type_) - 8usize];
    ["Offset of field: flb_service_config::offset"]
        [::core::mem::offset_of!(flb_service_config, offset) - 16usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct mk_list {
    pub prev: *mut mk_list,
    pub next: *mut mk_list,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of mk_list"][::core::mem::size_of::<mk_list>() - 16usize];
    ["Alignment of mk_list"][::core::mem::align_of::<mk_list>() - 8usize];
    ["Offset of field: mk_list::prev"][::core::mem::offset_of!(mk_list, prev) - 0usize];
    ["Offset of field: mk_list::next"][::core::mem::offset_of!(mk_list, next) - 8usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct flb_filter_instance_184 {
    pub id: ::core::ffi::c_int,
    pub log_level: ::core::ffi::c_int,
    pub name: [::core::ffi::c_char; 32usize],
    pub alias: *const ::core::ffi::c_char,
    pub match_: [*mut ::core::ffi::c_void; 2usize],
    pub context: *mut ::core::ffi::c_void,
    pub data: *mut ::core::ffi::c_void,
    pub p: *mut ::core::ffi::c_void,
    pub properties: mk_list,
    pub config_map: *mut mk_list,
    pub _head: mk_list,
    pub cmt: *mut cmt,
    pub counters: [*mut ::core::ffi::c_void; 4usize],
    pub metrics: *mut ::core::ffi::c_void,
    pub config: *mut flb_config,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of flb_filter_instance_184"][::core::mem::size_of::<flb_filter_instance_184>() - 184usize];
    ["Alignment of flb_filter_instance_184"][::core::mem::align_of::<flb_filter_instance_184>() - 8usize];
    ["Offset of field: flb_filter_instance_184::id"]
        [::core::mem::offset_of!(flb_filter_instance_184, id) - 0usize];
    ["Offset of field: flb_filter_instance_184::log_level"]
        [::core::mem::offset_of!(flb_filter_instance_184, log_level) - 4usize];
    ["Offset of field: flb_filter_instance_184::name"]
        [::core::mem::offset_of!(flb_filter_instance_184, name) - 8usize];
    ["Offset of field: flb_filter_instance_184::alias"]
        [::core::mem::offset_of!(flb_filter_instance_184, alias) - 40usize];
    ["Offset of field: flb_filter_instance_184::match_"]
        [::core::mem::offset_of!(flb_filter_instance_184, match_) - 48usize];
    ["Offset of field: flb_filter_instance_184::context"]
        [::core::mem::offset_of!(flb_filter_instance_184, context) - 64usize];
    ["Offset of field: flb_filter_instance_184::data"]
        [::core::mem::offset_of!(flb_filter_instance_184, data) - 72usize];
    ["Offset of field: flb_filter_instance_184::p"]
        [::core::mem::offset_of!(flb_filter_instance_184, p) - 80usize];
    ["Offset of field: flb_filter_instance_184::properties"]
        [::core::mem::offset_of!(flb_filter_instance_184, properties) - 88usize];
    ["Offset of field: flb_filter_instance_184::config_map"]
        [::core::mem::offset_of!(flb_filter_instance_184, config_map) - 104usize];
    ["Offset of field: flb_filter_instance_184::_head"]
        [::core::mem::offset_of!(flb_filter_instance_184, _head) - 112usize];
    ["Offset of field: flb_filter_instance_184::cmt"]
        [::core::mem::offset_of!(flb_filter_instance_184, cmt) - 128usize];
    ["Offset of field: flb_filter_instance_184::counters"]
        [::core::mem::offset_of!(flb_filter_instance_184, counters) - 136usize];
    ["Offset of field: flb_filter_instance_184::metrics"]
        [::core::mem::offset_of!(flb_filter_instance_184, metrics) - 168usize];
    ["Offset of field: flb_filter_instance_184::config"]
        [::core::mem::offset_of!(flb_filter_instance_184, config) - 176usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct flb_filter_instance_192 {
    pub event_type: ::core::ffi::c_int,
    pub id: ::core::ffi::c_int,
    pub log_level: ::core::ffi::c_int,
    pub log_suppress_interval: ::core::ffi::c_int,
    pub name: [::core::ffi::c_char; 32usize],
    pub alias: *const ::core::ffi::c_char,
    pub match_: [*mut ::core::ffi::c_void; 2usize],
    pub context: *mut ::core::ffi::c_void,
    pub data: *mut ::core::ffi::c_void,
    pub p: *mut ::core::ffi::c_void,
    pub properties: mk_list,
    pub config_map: *mut mk_list,
    pub _head: mk_list,
    pub cmt: *mut cmt,
    pub counters: [*mut ::core::ffi::c_void; 4usize],
    pub metrics: *mut ::core::ffi::c_void,
    pub config: *mut flb_config,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of flb_filter_instance_192"][::core::mem::size_of::<flb_filter_instance_192>() - 192usize];
    ["Alignment of flb_filter_instance_192"][::core::mem::align_of::<flb_filter_instance_192>() - 8usize];
    ["Offset of field: flb_filter_instance_192::event_type"]
        [::core::mem::offset_of!(flb_filter_instance_192, event_type) - 0usize];
    ["Offset of field: flb_filter_instance_192::id"]
        [::core::mem::offset_of!(flb_filter_instance_192, id) - 4usize];
    ["Offset of field: flb_filter_instance_192::log_level"]
        [::core::mem::offset_of!(flb_filter_instance_192, log_level) - 8usize];
    ["Offset of field: flb_filter_instance_192::log_suppress_interval"]
        [::core::mem::offset_of!(flb_filter_instance_192, log_suppress_interval) - 12usize];
    ["Offset of field: flb_filter_instance_192::name"]
        [::core::mem::offset_of!(flb_filter_instance_192, name) - 16usize];
    ["Offset of field: flb_filter_instance_192::alias"]
        [::core::mem::offset_of!(flb_filter_instance_192, alias) - 48usize];
    ["Offset of field: flb_filter_instance_192::match_"]
        [::core::mem::offset_of!(flb_filter_instance_192, match_) - 56usize];
    ["Offset of field: flb_filter_instance_192::context"]
        [::core::mem::offset_of!(flb_filter_instance_192, context) - 72usize];
    ["Offset of field: flb_filter_instance_192::data"]
        [::core::mem::offset_of!(flb_filter_instance_192, data) - 80usize];
    ["Offset of field: flb_filter_instance_192::p"]
        [::core::mem::offset_of!(flb_filter_instance_192, p) - 88usize];
    ["Offset of field: flb_filter_instance_192::properties"]
        [::core::mem::offset_of!(flb_filter_instance_192, properties) - 96usize];
    ["Offset of field: flb_filter_instance_192::config_map"]
        [::core::mem::offset_of!(flb_filter_instance_192, config_map) - 112usize];
    ["Offset of field: flb_filter_instance_192::_head"]
        [::core::mem::offset_of!(flb_filter_instance_192, _head) - 120usize];
    ["Offset of field: flb_filter_instance_192::cmt"]
        [::core::mem::offset_of!(flb_filter_instance_192, cmt) - 136usize];
    ["Offset of field: flb_filter_instance_192::counters"]
        [::core::mem::offset_of!(flb_filter_instance_192, counters) - 144usize];
    ["Offset of field: flb_filter_instance_192::metrics"]
        [::core::mem::offset_of!(flb_filter_instance_192, metrics) - 176usize];
    ["Offset of field: flb_filter_instance_192::config"]
        [::core::mem::offset_of!(flb_filter_instance_192, config) - 184usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct flb_filter_instance_200 {
    pub event_type: ::core::ffi::c_int,
    pub id: ::core::ffi::c_int,
    pub log_level: ::core::ffi::c_int,
    pub log_suppress_interval: ::core::ffi::c_int,
    pub name: [::core::ffi::c_char; 32usize],
    pub alias: *const ::core::ffi::c_char,
    pub match_: [*mut ::core::ffi::c_void; 2usize],
    pub parent_processor: *mut ::core::ffi::c_void,
    pub context: *mut ::core::ffi::c_void,
    pub data: *mut ::core::ffi::c_void,
    pub p: *mut ::core::ffi::c_void,
    pub properties: mk_list,
    pub config_map: *mut mk_list,
    pub _head: mk_list,
    pub cmt: *mut cmt,
    pub counters: [*mut ::core::ffi::c_void; 4usize],
    pub metrics: *mut ::core::ffi::c_void,
    pub config: *mut flb_config,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of flb_filter_instance_200"][::core::mem::size_of::<flb_filter_instance_200>() - 200usize];
    ["Alignment of flb_filter_instance_200"][::core::mem::align_of::<flb_filter_instance_200>() - 8usize];
    ["Offset of field: flb_filter_instance_200::event_type"]
        [::core::mem::offset_of!(flb_filter_instance_200, event_type) - 0usize];
    ["Offset of field: flb_filter_instance_200::id"]
        [::core::mem::offset_of!(flb_filter_instance_200, id) - 4usize];
    ["Offset of field: flb_filter_instance_200::log_level"]
        [::core::mem::offset_of!(flb_filter_instance_200, log_level) - 8usize];
    ["Offset of field: flb_filter_instance_200::log_suppress_interval"]
        [::core::mem::offset_of!(flb_filter_instance_200, log_suppress_interval) - 12usize];
    ["Offset of field: flb_filter_instance_200::name"]
        [::core::mem::offset_of!(flb_filter_instance_200, name) - 16usize];
    ["Offset of field: flb_filter_instance_200::alias"]
        [::core::mem::offset_of!(flb_filter_instance_200, alias) - 48usize];
    ["Offset of field: flb_filter_instance_200::match_"]
        [::core::mem::offset_of!(flb_filter_instance_200, match_) - 56usize];
    ["Offset of field: flb_filter_instance_200::parent_processor"]
        [::core::mem::offset_of!(flb_filter_instance_200, parent_processor) - 72usize];
    ["Offset of field: flb_filter_instance_200::context"]
        [::core::mem::offset_of!(flb_filter_instance_200, context) - 80usize];
    ["Offset of field: flb_filter_instance_200::data"]
        [::core::mem::offset_of!(flb_filter_instance_200, data) - 88usize];
    ["Offset of field: flb_filter_instance_200::p"]
        [::core::mem::offset_of!(flb_filter_instance_200, p) - 96usize];
    ["Offset of field: flb_filter_instance_200::properties"]
        [::core::mem::offset_of!(flb_filter_instance_200, properties) - 104usize];
    ["Offset of field: flb_filter_instance_200::config_map"]
        [::core::mem::offset_of!(flb_filter_instance_200, config_map) - 120usize];
    ["Offset of field: flb_filter_instance_200::_head"]
        [::core::mem::offset_of!(flb_filter_instance_200, _head) - 128usize];
    ["Offset of field: flb_filter_instance_200::cmt"]
        [::core::mem::offset_of!(flb_filter_instance_200, cmt) - 144usize];
    ["Offset of field: flb_filter_instance_200::counters"]
        [::core::mem::offset_of!(flb_filter_instance_200, counters) - 152usize];
    ["Offset of field: flb_filter_instance_200::metrics"]
        [::core::mem::offset_of!(flb_filter_instance_200, metrics) - 184usize];
    ["Offset of field: flb_filter_instance_200::config"]
        [::core::mem::offset_of!(flb_filter_instance_200, config) - 192usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct flb_filter_instance_216 {
    pub event_type: ::core::ffi::c_int,
    pub id: ::core::ffi::c_int,
    pub log_level: ::core::ffi::c_int,
    pub log_suppress_interval: ::core::ffi::c_int,
    pub name: [::core::ffi::c_char; 32usize],
    pub alias: *const ::core::ffi::c_char,
    pub match_: [*mut ::core::ffi::c_void; 2usize],
    pub parent_processor: *mut ::core::ffi::c_void,
    pub context: *mut ::core::ffi::c_void,
    pub data: *mut ::core::ffi::c_void,
    pub p: *mut ::core::ffi::c_void,
    pub properties: mk_list,
    pub config_map: *mut mk_list,
    pub _head: mk_list,
    pub cmt: *mut cmt,
    pub counters: [*mut ::core::ffi::c_void; 5usize],
    pub metrics: *mut ::core::ffi::c_void,
    pub notification_channel: ::core::ffi::c_int,
    pub config: *mut flb_config,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of flb_filter_instance_216"][::core::mem::size_of::<flb_filter_instance_216>() - 216usize];
    ["Alignment of flb_filter_instance_216"][::core::mem::align_of::<flb_filter_instance_216>() - 8usize];
    ["Offset of field: flb_filter_instance_216::event_type"]
        [::core::mem::offset_of!(flb_filter_instance_216, event_type) - 0usize];
    ["Offset of field: flb_filter_instance_216::id"]
        [::core::mem::offset_of!(flb_filter_instance_216, id) - 4usize];
    ["Offset of field: flb_filter_instance_216::log_level"]
        [::core::mem::offset_of!(flb_filter_instance_216, log_level) - 8usize];
    ["Offset of field: flb_filter_instance_216::log_suppress_interval"]
        [::core::mem::offset_of!(flb_filter_instance_216, log_suppress_interval) - 12usize];
    ["Offset of field: flb_filter_instance_216::name"]
        [::core::mem::offset_of!(flb_filter_instance_216, name) - 16usize];
    ["Offset of field: flb_filter_instance_216::alias"]
        [::core::mem::offset_of!(flb_filter_instance_216, alias) - 48usize];
    ["Offset of field: flb_filter_instance_216::match_"]
        [::core::mem::offset_of!(flb_filter_instance_216, match_) - 56usize];
    ["Offset of field: flb_filter_instance_216::parent_processor"]
        [::core::mem::offset_of!(flb_filter_instance_216, parent_processor) - 72usize];
    ["Offset of field: flb_filter_instance_216::context"]
        [::core::mem::offset_of!(flb_filter_instance_216, context) - 80usize];
    ["Offset of field: flb_filter_instance_216::data"]
        [::core::mem::offset_of!(flb_filter_instance_216, data) - 88usize];
    ["Offset of field: flb_filter_instance_216::p"]
        [::core::mem::offset_of!(flb_filter_instance_216, p) - 96usize];
    ["Offset of field: flb_filter_instance_216::properties"]
        [::core::mem::offset_of!(flb_filter_instance_216, properties) - 104usize];
    ["Offset of field: flb_filter_instance_216::config_map"]
        [::core::mem::offset_of!(flb_filter_instance_216, config_map) - 120usize];
    ["Offset of field: flb_filter_instance_216::_head"]
        [::core::mem::offset_of!(flb_filter_instance_216, _head) - 128usize];
    ["Offset of field: flb_filter_instance_216::cmt"]
        [::core::mem::offset_of!(flb_filter_instance_216, cmt) - 144usize];
    ["Offset of field: flb_filter_instance_216::counters"]
        [::core::mem::offset_of!(flb_filter_instance_216, counters) - 152usize];
    ["Offset of field: flb_filter_instance_216::metrics"]
        [::core::mem::offset_of!(flb_filter_instance_216, metrics) - 192usize];
    ["Offset of field: flb_filter_instance_216::notification_channel"]
        [::core::mem::offset_of!(flb_filter_instance_216, notification_channel) - 200usize];
    ["Offset of field: flb_filter_instance_216::config"]
        [::core::mem::offset_of!(flb_filter_instance_216, config) - 208usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct cio_stream {
    pub type_: ::core::ffi::c_int,
    pub name: *mut ::core::ffi::c_char,
    pub _head: mk_list,
    pub chunks: mk_list,
    pub chunks_up: mk_list,
    pub chunks_down: mk_list,
    pub parent: *mut ::core::ffi::c_void,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of cio_stream"][::core::mem::size_of::<cio_stream>() - 88usize];
    ["Alignment of cio_stream"][::core::mem::align_of::<cio_stream>() - 8usize];
    ["Offset of field: cio_stream::type_"][::core::mem::offset_of!(cio_stream, type_) - 0usize];
    ["Offset of field: cio_stream::name"][::core::mem::offset_of!(cio_stream, name) - 8usize];
    ["Offset of field: cio_stream::_head"][::core::mem::offset_of!(cio_stream, _head) - 16usize];
    ["Offset of field: cio_stream::chunks"][::core::mem::offset_of!(cio_stream, chunks) - 32usize];
    ["Offset of field: cio_stream::chunks_up"][::core::mem::offset_of!(cio_stream, chunks_up) - 48usize];
    ["Offset of field: cio_stream::chunks_down"][::core::mem::offset_of!(cio_stream, chunks_down) - 64usize];
    ["Offset of field: cio_stream::parent"][::core::mem::offset_of!(cio_stream, parent) - 80usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct flb_storage_input {
    pub type_: ::core::ffi::c_int,
    pub stream: *mut cio_stream,
    pub cio: *mut cio_ctx,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of flb_storage_input"][::core::mem::size_of::<flb_storage_input>() - 24usize];
    ["Alignment of flb_storage_input"][::core::mem::align_of::<flb_storage_input>() - 8usize];
    ["Offset of field: flb_storage_input::type_"][::core::mem::offset_of!(flb_storage_input, type_) - 0usize];
    ["Offset of field: flb_storage_input::stream"]
        [::core::mem::offset_of!(flb_storage_input, stream) - 8usize];
    ["Offset of field: flb_storage_input::cio"][::core::mem::offset_of!(flb_storage_input, cio) - 16usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct flb_config_map_96 {
    pub type_: ::core::ffi::c_int,
    pub name: *const ::core::ffi::c_char,
    pub def_value: *const ::core::ffi::c_char,
    pub flags: ::core::ffi::c_int,
    pub set_property: ::core::ffi::c_int,
    pub offset: usize,
    pub desc: *const ::core::ffi::c_char,
    pub host_owned: [u64; 6usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of flb_config_map_96"][::core::mem::size_of::<flb_config_map_96>() - 96usize];
    ["Alignment of flb_config_map_96"][::core::mem::align_of::<flb_config_map_96>() - 8usize];
    ["Offset of field: flb_config_map_96::type_"][::core::mem::offset_of!(flb_config_map_96, type_) - 0usize];
    ["Offset of field: flb_config_map_96::name"][::core::mem::offset_of!(flb_config_map_96, name) - 8usize];
    ["Offset of field: flb_config_map_96::def_value"]
        [::core::mem::offset_of!(flb_config_map_96, def_value) - 16usize];
    ["Offset of field: flb_config_map_96::flags"]
        [::core::mem::offset_of!(flb_config_map_96, flags) - 24usize];
    ["Offset of field: flb_config_map_96::set_property"]
        [::core::mem::offset_of!(flb_config_map_96, set_property) - 28usize];
    ["Offset of field: flb_config_map_96::offset"]
        [::core::mem::offset_of!(flb_config_map_96, offset) - 32usize];
    ["Offset of field: flb_config_map_96::desc"][::core::mem::offset_of!(flb_config_map_96, desc) - 40usize];
    ["Offset of field: flb_config_map_96::host_owned"]
        [::core::mem::offset_of!(flb_config_map_96, host_owned) - 48usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct flb_config_map_104 {
    pub type_: ::core::ffi::c_int,
    pub name: *const ::core::ffi::c_char,
    pub def_value: *const ::core::ffi::c_char,
    pub flags: ::core::ffi::c_int,
    pub set_property: ::core::ffi::c_int,
    pub offset: usize,
    pub desc: *const ::core::ffi::c_char,
    pub host_owned: [u64; 7usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of flb_config_map_104"][::core::mem::size_of::<flb_config_map_104>() - 104usize];
    ["Alignment of flb_config_map_104"][::core::mem::align_of::<flb_config_map_104>() - 8usize];
    ["Offset of field: flb_config_map_104::type_"]
        [::core::mem::offset_of!(flb_config_map_104, type_) - 0usize];
    ["Offset of field: flb_config_map_104::name"][::core::mem::offset_of!(flb_config_map_104, name) - 8usize];
    ["Offset of field: flb_config_map_104::def_value"]
        [::core::mem::offset_of!(flb_config_map_104, def_value) - 16usize];
    ["Offset of field: flb_config_map_104::flags"]
        [::core::mem::offset_of!(flb_config_map_104, flags) - 24usize];
    ["Offset of field: flb_config_map_104::set_property"]
        [::core::mem::offset_of!(flb_config_map_104, set_property) - 28usize];
    ["Offset of field: flb_config_map_104::offset"]
        [::core::mem::offset_of!(flb_config_map_104, offset) - 32usize];
    ["Offset of field: flb_config_map_104::desc"]
        [::core::mem::offset_of!(flb_config_map_104, desc) - 40usize];
    ["Offset of field: flb_config_map_104::host_owned"]
        [::core::mem::offset_of!(flb_config_map_104, host_owned) - 48usize];
};
pub type flb_filter_cb_init = ::core::option::Option<
    unsafe extern "C" fn(
        arg1: *mut flb_filter_instance,
        arg2: *mut flb_config,
        data: *mut ::core::ffi::c_void,
    ) -> ::core::ffi::c_int,
>;
pub type flb_filter_cb_filter = ::core::option::Option<
    unsafe extern "C" fn(
        data: *const ::core::ffi::c_void,
        bytes: usize,
        tag: *const ::core::ffi::c_char,
        tag_len: ::core::ffi::c_int,
        out_buf: *mut *mut ::core::ffi::c_void,
        out_size: *mut usize,
        arg1: *mut flb_filter_instance,
        arg2: *mut flb_input_instance,
        context: *mut ::core::ffi::c_void,
        arg3: *mut flb_config,
    ) -> ::core::ffi::c_int,
>;
pub type flb_cb_exit = ::core::option::Option<
    unsafe extern "C" fn(context: *mut ::core::ffi::c_void, arg1: *mut flb_config) -> ::core::ffi::c_int,
>;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct flb_filter_plugin_72 {
    pub event_type: ::core::ffi::c_int,
    pub flags: ::core::ffi::c_int,
    pub name: *const ::core::ffi::c_char,
    pub description: *const ::core::ffi::c_char,
    pub config_map: *mut ::core::ffi::c_void,
    pub cb_init: flb_filter_cb_init,
    pub cb_filter: flb_filter_cb_filter,
    pub cb_exit: flb_cb_exit,
    pub _head: mk_list,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of flb_filter_plugin_72"][::core::mem::size_of::<flb_filter_plugin_72>() - 72usize];
    ["Alignment of flb_filter_plugin_72"][::core::mem::align_of::<flb_filter_plugin_72>() - 8usize];
    ["Offset of field: flb_filter_plugin_72::event_type"]
        [::core::mem::offset_of!(flb_filter_plugin_72, event_type) - 0usize];
    ["Offset of field: flb_filter_plugin_72::flags"]
        [::core::mem::offset_of!(flb_filter_plugin_72, flags) - 4usize];
    ["Offset of field: flb_filter_plugin_72::name"]
        [::core::mem::offset_of!(flb_filter_plugin_72, name) - 8usize];
    ["Offset of field: flb_filter_plugin_72::description"]
        [::core::mem::offset_of!(flb_filter_plugin_72, description) - 16usize];
    ["Offset of field: flb_filter_plugin_72::config_map"]
        [::core::mem::offset_of!(flb_filter_plugin_72, config_map) - 24usize];
    ["Offset of field: flb_filter_plugin_72::cb_init"]
        [::core::mem::offset_of!(flb_filter_plugin_72, cb_init) - 32usize];
    ["Offset of field: flb_filter_plugin_72::cb_filter"]
        [::core::mem::offset_of!(flb_filter_plugin_72, cb_filter) - 40usize];
    ["Offset of field: flb_filter_plugin_72::cb_exit"]
        [::core::mem::offset_of!(flb_filter_plugin_72, cb_exit) - 48usize];
    ["Offset of field: flb_filter_plugin_72::_head"]
        [::core::mem::offset_of!(flb_filter_plugin_72, _head) - 56usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct flb_filter_plugin_80 {
    pub event_type: ::core::ffi::c_int,
    pub flags: ::core::ffi::c_int,
    pub name: *const ::core::ffi::c_char,
    pub description: *const ::core::ffi::c_char,
    pub config_map: *mut ::core::ffi::c_void,
    pub cb_pre_run: flb_filter_cb_init,
    pub cb_init: flb_filter_cb_init,
    pub cb_filter: flb_filter_cb_filter,
    pub cb_exit: flb_cb_exit,
    pub _head: mk_list,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of flb_filter_plugin_80"][::core::mem::size_of::<flb_filter_plugin_80>() - 80usize];
    ["Alignment of flb_filter_plugin_80"][::core::mem::align_of::<flb_filter_plugin_80>() - 8usize];
    ["Offset of field: flb_filter_plugin_80::event_type"]
        [::core::mem::offset_of!(flb_filter_plugin_80, event_type) - 0usize];
    ["Offset of field: flb_filter_plugin_80::flags"]
        [::core::mem::offset_of!(flb_filter_plugin_80, flags) - 4usize];
    ["Offset of field: flb_filter_plugin_80::name"]
        [::core::mem::offset_of!(flb_filter_plugin_80, name) - 8usize];
    ["Offset of field: flb_filter_plugin_80::description"]
        [::core::mem::offset_of!(flb_filter_plugin_80, description) - 16usize];
    ["Offset of field: flb_filter_plugin_80::config_map"]
        [::core::mem::offset_of!(flb_filter_plugin_80, config_map) - 24usize];
    ["Offset of field: flb_filter_plugin_80::cb_pre_run"]
        [::core::mem::offset_of!(flb_filter_plugin_80, cb_pre_run) - 32usize];
    ["Offset of field: flb_filter_plugin_80::cb_init"]
        [::core::mem::offset_of!(flb_filter_plugin_80, cb_init) - 40usize];
    ["Offset of field: flb_filter_plugin_80::cb_filter"]
        [::core::mem::offset_of!(flb_filter_plugin_80, cb_filter) - 48usize];
    ["Offset of field: flb_filter_plugin_80::cb_exit"]
        [::core::mem::offset_of!(flb_filter_plugin_80, cb_exit) - 56usize];
    ["Offset of field: flb_filter_plugin_80::_head"]
        [::core::mem::offset_of!(flb_filter_plugin_80, _head) - 64usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct flb_filter_plugin_88 {
    pub event_type: ::core::ffi::c_int,
    pub flags: ::core::ffi::c_int,
    pub name: *const ::core::ffi::c_char,
    pub description: *const ::core::ffi::c_char,
    pub config_map: *mut ::core::ffi::c_void,
    pub cb_pre_run: flb_filter_cb_init,
    pub cb_init: flb_filter_cb_init,
    pub cb_filter: flb_filter_cb_filter,
    pub cb_exit: flb_cb_exit,
    pub cb_notification: flb_filter_cb_init,
    pub _head: mk_list,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of flb_filter_plugin_88"][::core::mem::size_of::<flb_filter_plugin_88>() - 88usize];
    ["Alignment of flb_filter_plugin_88"][::core::mem::align_of::<flb_filter_plugin_88>() - 8usize];
    ["Offset of field: flb_filter_plugin_88::event_type"]
        [::core::mem::offset_of!(flb_filter_plugin_88, event_type) - 0usize];
    ["Offset of field: flb_filter_plugin_88::flags"]
        [::core::mem::offset_of!(flb_filter_plugin_88, flags) - 4usize];
    ["Offset of field: flb_filter_plugin_88::name"]
        [::core::mem::offset_of!(flb_filter_plugin_88, name) - 8usize];
    ["Offset of field: flb_filter_plugin_88::description"]
        [::core::mem::offset_of!(flb_filter_plugin_88, description) - 16usize];
    ["Offset of field: flb_filter_plugin_88::config_map"]
        [::core::mem::offset_of!(flb_filter_plugin_88, config_map) - 24usize];
    ["Offset of field: flb_filter_plugin_88::cb_pre_run"]
        [::core::mem::offset_of!(flb_filter_plugin_88, cb_pre_run) - 32usize];
    ["Offset of field: flb_filter_plugin_88::cb_init"]
        [::core::mem::offset_of!(flb_filter_plugin_88, cb_init) - 40usize];
    ["Offset of field: flb_filter_plugin_88::cb_filter"]
        [::core::mem::offset_of!(flb_filter_plugin_88, cb_filter) - 48usize];
    ["Offset of field: flb_filter_plugin_88::cb_exit"]
        [::core::mem::offset_of!(flb_filter_plugin_88, cb_exit) - 56usize];
    ["Offset of field: flb_filter_plugin_88::cb_notification"]
        [::core::mem::offset_of!(flb_filter_plugin_88, cb_notification) - 64usize];
    ["Offset of field: flb_filter_plugin_88::_head"]
        [::core::mem::offset_of!(flb_filter_plugin_88, _head) - 72usize];
};
pub type flb_input_cb = ::core::option::Option<
    unsafe extern "C" fn(
        arg1: *mut flb_input_instance,
        arg2: *mut flb_config,
        data_or_context: *mut ::core::ffi::c_void,
    ) -> ::core::ffi::c_int,
>;
pub type flb_input_cb_pause =
    ::core::option::Option<unsafe extern "C" fn(context: *mut ::core::ffi::c_void, arg1: *mut flb_config)>;
pub type flb_input_cb_destroy =
    ::core::option::Option<unsafe extern "C" fn(plugin: *mut ::core::ffi::c_void)>;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct flb_input_plugin_144 {
    pub type_: ::core::ffi::c_int,
    pub proxy: *mut ::core::ffi::c_void,
    pub flags: ::core::ffi::c_int,
    pub event_type: ::core::ffi::c_int,
    pub name: *const ::core::ffi::c_char,
    pub description: *const ::core::ffi::c_char,
    pub config_map: *mut ::core::ffi::c_void,
    pub cb_init: flb_input_cb,
    pub cb_pre_run: flb_input_cb,
    pub cb_collect: flb_input_cb,
    pub cb_flush_buf: *mut ::core::ffi::c_void,
    pub cb_flush_end: *mut ::core::ffi::c_void,
    pub cb_pause: flb_input_cb_pause,
    pub cb_resume: flb_input_cb_pause,
    pub cb_ingest: *mut ::core::ffi::c_void,
    pub cb_exit: flb_cb_exit,
    pub instance: *mut ::core::ffi::c_void,
    pub _head: mk_list,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of flb_input_plugin_144"][::core::mem::size_of::<flb_input_plugin_144>() - 144usize];
    ["Alignment of flb_input_plugin_144"][::core::mem::align_of::<flb_input_plugin_144>() - 8usize];
    ["Offset of field: flb_input_plugin_144::type_"]
        [::core::mem::offset_of!(flb_input_plugin_144, type_) - 0usize];
    ["Offset of field: flb_input_plugin_144::proxy"]
        [::core::mem::offset_of!(flb_input_plugin_144, proxy) - 8usize];
    ["Offset of field: flb_input_plugin_144::flags"]
        [::core::mem::offset_of!(flb_input_plugin_144, flags) - 16usize];
    ["Offset of field: flb_input_plugin_144::event_type"]
        [::core::mem::offset_of!(flb_input_plugin_144, event_type) - 20usize];
    ["Offset of field: flb_input_plugin_144::name"]
        [::core::mem::offset_of!(flb_input_plugin_144, name) - 24usize];
    ["Offset of field: flb_input_plugin_144::description"]
        [::core::mem::offset_of!(flb_input_plugin_144, description) - 32usize];
    ["Offset of field: flb_input_plugin_144::config_map"]
        [::core::mem::offset_of!(flb_input_plugin_144, config_map) - 40usize];
    ["Offset of field: flb_input_plugin_144::cb_init"]
        [::core::mem::offset_of!(flb_input_plugin_144, cb_init) - 48usize];
    ["Offset of field: flb_input_plugin_144::cb_pre_run"]
        [::core::mem::offset_of!(flb_input_plugin_144, cb_pre_run) - 56usize];
    ["Offset of field: flb_input_plugin_144::cb_collect"]
        [::core::mem::offset_of!(flb_input_plugin_144, cb_collect) - 64usize];
    ["Offset of field: flb_input_plugin_144::cb_flush_buf"]
        [::core::mem::offset_of!(flb_input_plugin_144, cb_flush_buf) - 72usize];
    ["Offset of field: flb_input_plugin_144::cb_flush_end"]
        [::core::mem::offset_of!(flb_input_plugin_144, cb_flush_end) - 80usize];
    ["Offset of field: flb_input_plugin_144::cb_pause"]
        [::core::mem::offset_of!(flb_input_plugin_144, cb_pause) - 88usize];
    ["Offset of field: flb_input_plugin_144::cb_resume"]
        [::core::mem::offset_of!(flb_input_plugin_144, cb_resume) - 96usize];
    ["Offset of field: flb_input_plugin_144::cb_ingest"]
        [::core::mem::offset_of!(flb_input_plugin_144, cb_ingest) - 104usize];
    ["Offset of field: flb_input_plugin_144::cb_exit"]
        [::core::mem::offset_of!(flb_input_plugin_144, cb_exit) - 112usize];
    ["Offset of field: flb_input_plugin_144::instance"]
        [::core::mem::offset_of!(flb_input_plugin_144, instance) - 120usize];
    ["Offset of field: flb_input_plugin_144::_head"]
        [::core::mem::offset_of!(flb_input_plugin_144, _head) - 128usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct flb_input_plugin_152 {
    pub type_: ::core::ffi::c_int,
    pub proxy: *mut ::core::ffi::c_void,
    pub flags: ::core::ffi::c_int,
    pub name: *const ::core::ffi::c_char,
    pub description: *const ::core::ffi::c_char,
    pub config_map: *mut ::core::ffi::c_void,
    pub cb_init: flb_input_cb,
    pub cb_pre_run: flb_input_cb,
    pub cb_collect: flb_input_cb,
    pub cb_flush_buf: *mut ::core::ffi::c_void,
    pub cb_flush_end: *mut ::core::ffi::c_void,
    pub cb_pause: flb_input_cb_pause,
    pub cb_resume: flb_input_cb_pause,
    pub cb_ingest: *mut ::core::ffi::c_void,
    pub cb_exit: flb_cb_exit,
    pub cb_destroy: flb_input_cb_destroy,
    pub instance: *mut ::core::ffi::c_void,
    pub _head: mk_list,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of flb_input_plugin_152"][::core::mem::size_of::<flb_input_plugin_152>() - 152usize];
    ["Alignment of flb_input_plugin_152"][::core::mem::align_of::<flb_input_plugin_152>() - 8usize];
    ["Offset of field: flb_input_plugin_152::type_"]
        [::core::mem::offset_of!(flb_input_plugin_152, type_) - 0usize];
    ["Offset of field: flb_input_plugin_152::proxy"]
        [::core::mem::offset_of!(flb_input_plugin_152, proxy) - 8usize];
    ["Offset of field: flb_input_plugin_152::flags"]
        [::core::mem::offset_of!(flb_input_plugin_152, flags) - 16usize];
    ["Offset of field: flb_input_plugin_152::name"]
        [::core::mem::offset_of!(flb_input_plugin_152, name) - 24usize];
    ["Offset of field: flb_input_plugin_152::description"]
        [::core::mem::offset_of!(flb_input_plugin_152, description) - 32usize];
    ["Offset of field: flb_input_plugin_152::config_map"]
        [::core::mem::offset_of!(flb_input_plugin_152, config_map) - 40usize];
    ["Offset of field: flb_input_plugin_152::cb_init"]
        [::core::mem::offset_of!(flb_input_plugin_152, cb_init) - 48usize];
    ["Offset of field: flb_input_plugin_152::cb_pre_run"]
        [::core::mem::offset_of!(flb_input_plugin_152, cb_pre_run) - 56usize];
    ["Offset of field: flb_input_plugin_152::cb_collect"]
        [::core::mem::offset_of!(flb_input_plugin_152, cb_collect) - 64usize];
    ["Offset of field: flb_input_plugin_152::cb_flush_buf"]
        [::core::mem::offset_of!(flb_input_plugin_152, cb_flush_buf) - 72usize];
    ["Offset of field: flb_input_plugin_152::cb_flush_end"]
        [::core::mem::offset_of!(flb_input_plugin_152, cb_flush_end) - 80usize];
    ["Offset of field: flb_input_plugin_152::cb_pause"]
        [::core::mem::offset_of!(flb_input_plugin_152, cb_pause) - 88usize];
    ["Offset of field: flb_input_plugin_152::cb_resume"]
        [::core::mem::offset_of!(flb_input_plugin_152, cb_resume) - 96usize];
    ["Offset of field: flb_input_plugin_152::cb_ingest"]
        [::core::mem::offset_of!(flb_input_plugin_152, cb_ingest) - 104usize];
    ["Offset of field: flb_input_plugin_152::cb_exit"]
        [::core::mem::offset_of!(flb_input_plugin_152, cb_exit) - 112usize];
    ["Offset of field: flb_input_plugin_152::cb_destroy"]
        [::core::mem::offset_of!(flb_input_plugin_152, cb_destroy) - 120usize];
    ["Offset of field: flb_input_plugin_152::instance"]
        [::core::mem::offset_of!(flb_input_plugin_152, instance) - 128usize];
    ["Offset of field: flb_input_plugin_152::_head"]
        [::core::mem::offset_of!(flb_input_plugin_152, _head) - 136usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct flb_input_plugin_160 {
    pub type_: ::core::ffi::c_int,
    pub proxy: *mut ::core::ffi::c_void,
    pub flags: ::core::ffi::c_int,
    pub name: *const ::core::ffi::c_char,
    pub description: *const ::core::ffi::c_char,
    pub config_map: *mut ::core::ffi::c_void,
    pub cb_init: flb_input_cb,
    pub cb_pre_run: flb_input_cb,
    pub cb_collect: flb_input_cb,
    pub cb_notification: flb_input_cb,
    pub cb_flush_buf: *mut ::core::ffi::c_void,
    pub cb_flush_end: *mut ::core::ffi::c_void,
    pub cb_pause: flb_input_cb_pause,
    pub cb_resume: flb_input_cb_pause,
    pub cb_ingest: *mut ::core::ffi::c_void,
    pub cb_exit: flb_cb_exit,
    pub cb_destroy: flb_input_cb_destroy,
    pub instance: *mut ::core::ffi::c_void,
    pub _head: mk_list,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of flb_input_plugin_160"][::core::mem::size_of::<flb_input_plugin_160>() - 160usize];
    ["Alignment of flb_input_plugin_160"][::core::mem::align_of::<flb_input_plugin_160>() - 8usize];
    ["Offset of field: flb_input_plugin_160::type_"]
        [::core::mem::offset_of!(flb_input_plugin_160, type_) - 0usize];
    ["Offset of field: flb_input_plugin_160::proxy"]
        [::core::mem::offset_of!(flb_input_plugin_160, proxy) - 8usize];
    ["Offset of field: flb_input_plugin_160::flags"]
        [::core::mem::offset_of!(flb_input_plugin_160, flags) - 16usize];
    ["Offset of field: flb_input_plugin_160::name"]
        [::core::mem::offset_of!(flb_input_plugin_160, name) - 24usize];
    ["Offset of field: flb_input_plugin_160::description"]
        [::core::mem::offset_of!(flb_input_plugin_160, description) - 32usize];
    ["Offset of field: flb_input_plugin_160::config_map"]
        [::core::mem::offset_of!(flb_input_plugin_160, config_map) - 40usize];
    ["Offset of field: flb_input_plugin_160::cb_init"]
        [::core::mem::offset_of!(flb_input_plugin_160, cb_init) - 48usize];
    ["Offset of field: flb_input_plugin_160::cb_pre_run"]
        [::core::mem::offset_of!(flb_input_plugin_160, cb_pre_run) - 56usize];
    ["Offset of field: flb_input_plugin_160::cb_collect"]
        [::core::mem::offset_of!(flb_input_plugin_160, cb_collect) - 64usize];
    ["Offset of field: flb_input_plugin_160::cb_notification"]
        [::core::mem::offset_of!(flb_input_plugin_160, cb_notification) - 72usize];
    ["Offset of field: flb_input_plugin_160::cb_flush_buf"]
        [::core::mem::offset_of!(flb_input_plugin_160, cb_flush_buf) - 80usize];
    ["Offset of field: flb_input_plugin_160::cb_flush_end"]
        [::core::mem::offset_of!(flb_input_plugin_160, cb_flush_end) - 88usize];
    ["Offset of field: flb_input_plugin_160::cb_pause"]
        [::core::mem::offset_of!(flb_input_plugin_160, cb_pause) - 96usize];
    ["Offset of field: flb_input_plugin_160::cb_resume"]
        [::core::mem::offset_of!(flb_input_plugin_160, cb_resume) - 104usize];
    ["Offset of field: flb_input_plugin_160::cb_ingest"]
        [::core::mem::offset_of!(flb_input_plugin_160, cb_ingest) - 112usize];
    ["Offset of field: flb_input_plugin_160::cb_exit"]
        [::core::mem::offset_of!(flb_input_plugin_160, cb_exit) - 120usize];
    ["Offset of field: flb_input_plugin_160::cb_destroy"]
        [::core::mem::offset_of!(flb_input_plugin_160, cb_destroy) - 128usize];
    ["Offset of field: flb_input_plugin_160::instance"]
        [::core::mem::offset_of!(flb_input_plugin_160, instance) - 136usize];
    ["Offset of field: flb_input_plugin_160::_head"]
        [::core::mem::offset_of!(flb_input_plugin_160, _head) - 144usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct flb_input_plugin_208 {
    pub type_: ::core::ffi::c_int,
    pub proxy: *mut ::core::ffi::c_void,
    pub flags: ::core::ffi::c_int,
    pub name: *const ::core::ffi::c_char,
    pub description: *const ::core::ffi::c_char,
    pub config_map: *mut ::core::ffi::c_void,
    pub cb_init: flb_input_cb,
    pub cb_pre_run: flb_input_cb,
    pub cb_collect: flb_input_cb,
    pub cb_notification: flb_input_cb,
    pub cb_flush_buf: *mut ::core::ffi::c_void,
    pub cb_flush_end: *mut ::core::ffi::c_void,
    pub cb_pause: flb_input_cb_pause,
    pub cb_resume: flb_input_cb_pause,
    pub cb_ingest: *mut ::core::ffi::c_void,
    pub cb_exit: flb_cb_exit,
    pub cb_destroy: flb_input_cb_destroy,
    pub test_formatter: [u64; 6usize],
    pub instance: *mut ::core::ffi::c_void,
    pub _head: mk_list,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of flb_input_plugin_208"][::core::mem::size_of::<flb_input_plugin_208>() - 208usize];
    ["Alignment of flb_input_plugin_208"][::core::mem::align_of::<flb_input_plugin_208>() - 8usize];
    ["Offset of field: flb_input_plugin_208::type_"]
        [::core::mem::offset_of!(flb_input_plugin_208, type_) - 0usize];
    ["Offset of field: flb_input_plugin_208::proxy"]
        [::core::mem::offset_of!(flb_input_plugin_208, proxy) - 8usize];
    ["Offset of field: flb_input_plugin_208::flags"]
        [::core::mem::offset_of!(flb_input_plugin_208, flags) - 16usize];
    ["Offset of field: flb_input_plugin_208::name"]
        [::core::mem::offset_of!(flb_input_plugin_208, name) - 24usize];
    ["Offset of field: flb_input_plugin_208::description"]
        [::core::mem::offset_of!(flb_input_plugin_208, description) - 32usize];
    ["Offset of field: flb_input_plugin_208::config_map"]
        [::core::mem::offset_of!(flb_input_plugin_208, config_map) - 40usize];
    ["Offset of field: flb_input_plugin_208::cb_init"]
        [::core::mem::offset_of!(flb_input_plugin_208, cb_init) - 48usize];
    ["Offset of field: flb_input_plugin_208::cb_pre_run"]
        [::core::mem::offset_of!(flb_input_plugin_208, cb_pre_run) - 56usize];
    ["Offset of field: flb_input_plugin_208::cb_collect"]
        [::core::mem::offset_of!(flb_input_plugin_208, cb_collect) - 64usize];
    ["Offset of field: flb_input_plugin_208::cb_notification"]
        [::core::mem::offset_of!(flb_input_plugin_208, cb_notification) - 72usize];
    ["Offset of field: flb_input_plugin_208::cb_flush_buf"]
        [::core::mem::offset_of!(flb_input_plugin_208, cb_flush_buf) - 80usize];
    ["Offset of field: flb_input_plugin_208::cb_flush_end"]
        [::core::mem::offset_of!(flb_input_plugin_208, cb_flush_end) - 88usize];
    ["Offset of field: flb_input_plugin_208::cb_pause"]
        [::core::mem::offset_of!(flb_input_plugin_208, cb_pause) - 96usize];
    ["Offset of field: flb_input_plugin_208::cb_resume"]
        [::core::mem::offset_of!(flb_input_plugin_208, cb_resume) - 104usize];
    ["Offset of field: flb_input_plugin_208::cb_ingest"]
        [::core::mem::offset_of!(flb_input_plugin_208, cb_ingest) - 112usize];
    ["Offset of field: flb_input_plugin_208::cb_exit"]
        [::core::mem::offset_of!(flb_input_plugin_208, cb_exit) - 120usize];
    ["Offset of field: flb_input_plugin_208::cb_destroy"]
        [::core::mem::offset_of!(flb_input_plugin_208, cb_destroy) - 128usize];
    ["Offset of field: flb_input_plugin_208::test_formatter"]
        [::core::mem::offset_of!(flb_input_plugin_208, test_formatter) - 136usize];
    ["Offset of field: flb_input_plugin_208::instance"]
        [::core::mem::offset_of!(flb_input_plugin_208, instance) - 184usize];
    ["Offset of field: flb_input_plugin_208::_head"]
        [::core::mem::offset_of!(flb_input_plugin_208, _head) - 192usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct flb_input_plugin_232 {
    pub type_: ::core::ffi::c_int,
    pub proxy: *mut ::core::ffi::c_void,
    pub flags: ::core::ffi::c_int,
    pub name: *const ::core::ffi::c_char,
    pub description: *const ::core::ffi::c_char,
    pub config_map: *mut ::core::ffi::c_void,
    pub cb_init: flb_input_cb,
    pub cb_pre_run: flb_input_cb,
    pub cb_collect: flb_input_cb,
    pub cb_notification: flb_input_cb,
    pub cb_flush_buf: *mut ::core::ffi::c_void,
    pub cb_flush_end: *mut ::core::ffi::c_void,
    pub cb_pause: flb_input_cb_pause,
    pub cb_resume: flb_input_cb_pause,
    pub cb_pause_checked: flb_cb_exit,
    pub cb_resume_checked: flb_cb_exit,
    pub cb_ingest: *mut ::core::ffi::c_void,
    pub cb_pre_exit: flb_input_cb_pause,
    pub cb_exit: flb_cb_exit,
    pub cb_destroy: flb_input_cb_destroy,
    pub test_formatter: [u64; 6usize],
    pub instance: *mut ::core::ffi::c_void,
    pub _head: mk_list,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of flb_input_plugin_232"][::core::mem::size_of::<flb_input_plugin_232>() - 232usize];
    ["Alignment of flb_input_plugin_232"][::core::mem::align_of::<flb_input_plugin_232>() - 8usize];
    ["Offset of field: flb_input_plugin_232::type_"]
        [::core::mem::offset_of!(flb_input_plugin_232, type_) - 0usize];
    ["Offset of field: flb_input_plugin_232::proxy"]
        [::core::mem::offset_of!(flb_input_plugin_232, proxy) - 8usize];
    ["Offset of field: flb_input_plugin_232::flags"]
        [::core::mem::offset_of!(flb_input_plugin_232, flags) - 16usize];
    ["Offset of field: flb_input_plugin_232::name"]
        [::core::mem::offset_of!(flb_input_plugin_232, name) - 24usize];
    ["Offset of field: flb_input_plugin_232::description"]
        [::core::mem::offset_of!(flb_input_plugin_232, description) - 32usize];
    ["Offset of field: flb_input_plugin_232::config_map"]
        [::core::mem::offset_of!(flb_input_plugin_232, config_map) - 40usize];
    ["Offset of field: flb_input_plugin_232::cb_init"]
        [::core::mem::offset_of!(flb_input_plugin_232, cb_init) - 48usize];
    ["Offset of field: flb_input_plugin_232::cb_pre_run"]
        [::core::mem::offset_of!(flb_input_plugin_232, cb_pre_run) - 56usize];
    ["Offset of field: flb_input_plugin_232::cb_collect"]
        [::core::mem::offset_of!(flb_input_plugin_232, cb_collect) - 64usize];
    ["Offset of field: flb_input_plugin_232::cb_notification"]
        [::core::mem::offset_of!(flb_input_plugin_232, cb_notification) - 72usize];
    ["Offset of field: flb_input_plugin_232::cb_flush_buf"]
        [::core::mem::offset_of!(flb_input_plugin_232, cb_flush_buf) - 80usize];
    ["Offset of field: flb_input_plugin_232::cb_flush_end"]
        [::core::mem::offset_of!(flb_input_plugin_232, cb_flush_end) - 88usize];
    ["Offset of field: flb_input_plugin_232::cb_pause"]
        [::core::mem::offset_of!(flb_input_plugin_232, cb_pause) - 96usize];
    ["Offset of field: flb_input_plugin_232::cb_resume"]
        [::core::mem::offset_of!(flb_input_plugin_232, cb_resume) - 104usize];
    ["Offset of field: flb_input_plugin_232::cb_pause_checked"]
        [::core::mem::offset_of!(flb_input_plugin_232, cb_pause_checked) - 112usize];
    ["Offset of field: flb_input_plugin_232::cb_resume_checked"]
        [::core::mem::offset_of!(flb_input_plugin_232, cb_resume_checked) - 120usize];
    ["Offset of field: flb_input_plugin_232::cb_ingest"]
        [::core::mem::offset_of!(flb_input_plugin_232, cb_ingest) - 128usize];
    ["Offset of field: flb_input_plugin_232::cb_pre_exit"]
        [::core::mem::offset_of!(flb_input_plugin_232, cb_pre_exit) - 136usize];
    ["Offset of field: flb_input_plugin_232::cb_exit"]
        [::core::mem::offset_of!(flb_input_plugin_232, cb_exit) - 144usize];
    ["Offset of field: flb_input_plugin_232::cb_destroy"]
        [::core::mem::offset_of!(flb_input_plugin_232, cb_destroy) - 152usize];
    ["Offset of field: flb_input_plugin_232::test_formatter"]
        [::core::mem::offset_of!(flb_input_plugin_232, test_formatter) - 160usize];
    ["Offset of field: flb_input_plugin_232::instance"]
        [::core::mem::offset_of!(flb_input_plugin_232, instance) - 208usize];
    ["Offset of field: flb_input_plugin_232::_head"]
        [::core::mem::offset_of!(flb_input_plugin_232, _head) - 216usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct flb_plugin_proxy_def_32 {
    pub type_: ::core::ffi::c_int,
    pub proxy: ::core::ffi::c_int,
    pub flags: ::core::ffi::c_int,
    pub name: *const ::core::ffi::c_char,
    pub description: *const ::core::ffi::c_char,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of flb_plugin_proxy_def_32"][::core::mem::size_of::<flb_plugin_proxy_def_32>() - 32usize];
    ["Alignment of flb_plugin_proxy_def_32"][::core::mem::align_of::<flb_plugin_proxy_def_32>() - 8usize];
    ["Offset of field: flb_plugin_proxy_def_32::type_"]
        [::core::mem::offset_of!(flb_plugin_proxy_def_32, type_) - 0usize];
    ["Offset of field: flb_plugin_proxy_def_32::proxy"]
        [::core::mem::offset_of!(flb_plugin_proxy_def_32, proxy) - 4usize];
    ["Offset of field: flb_plugin_proxy_def_32::flags"]
        [::core::mem::offset_of!(flb_plugin_proxy_def_32, flags) - 8usize];
    ["Offset of field: flb_plugin_proxy_def_32::name"]
        [::core::mem::offset_of!(flb_plugin_proxy_def_32, name) - 16usize];
    ["Offset of field: flb_plugin_proxy_def_32::description"]
        [::core::mem::offset_of!(flb_plugin_proxy_def_32, description) - 24usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct flb_plugin_proxy_def_40 {
    pub type_: ::core::ffi::c_int,
    pub proxy: ::core::ffi::c_int,
    pub flags: ::core::ffi::c_int,
    pub name: *const ::core::ffi::c_char,
    pub description: *const ::core::ffi::c_char,
    pub event_type: ::core::ffi::c_int,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of flb_plugin_proxy_def_40"][::core::mem::size_of::<flb_plugin_proxy_def_40>() - 40usize];
    ["Alignment of flb_plugin_proxy_def_40"][::core::mem::align_of::<flb_plugin_proxy_def_40>() - 8usize];
    ["Offset of field: flb_plugin_proxy_def_40::type_"]
        [::core::mem::offset_of!(flb_plugin_proxy_def_40, type_) - 0usize];
    ["Offset of field: flb_plugin_proxy_def_40::proxy"]
        [::core::mem::offset_of!(flb_plugin_proxy_def_40, proxy) - 4usize];
    ["Offset of field: flb_plugin_proxy_def_40::flags"]
        [::core::mem::offset_of!(flb_plugin_proxy_def_40, flags) - 8usize];
    ["Offset of field: flb_plugin_proxy_def_40::name"]
        [::core::mem::offset_of!(flb_plugin_proxy_def_40, name) - 16usize];
    ["Offset of field: flb_plugin_proxy_def_40::description"]
        [::core::mem::offset_of!(flb_plugin_proxy_def_40, description) - 24usize];
    ["Offset of field: flb_plugin_proxy_def_40::event_type"]
        [::core::mem::offset_of!(flb_plugin_proxy_def_40, event_type) - 32usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct flb_plugin_proxy_def_48 {
    pub type_: ::core::ffi::c_int,
    pub proxy: ::core::ffi::c_int,
    pub flags: ::core::ffi::c_int,
    pub name: *const ::core::ffi::c_char,
    pub description: *const ::core::ffi::c_char,
    pub event_type: ::core::ffi::c_int,
    pub config_map: *mut ::core::ffi::c_void,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of flb_plugin_proxy_def_48"][::core::mem::size_of::<flb_plugin_proxy_def_48>() - 48usize];
    ["Alignment of flb_plugin_proxy_def_48"][::core::mem::align_of::<flb_plugin_proxy_def_48>() - 8usize];
    ["Offset of field: flb_plugin_proxy_def_48::type_"]
        [::core::mem::offset_of!(flb_plugin_proxy_def_48, type_) - 0usize];
    ["Offset of field: flb_plugin_proxy_def_48::proxy"]
        [::core::mem::offset_of!(flb_plugin_proxy_def_48, proxy) - 4usize];
    ["Offset of field: flb_plugin_proxy_def_48::flags"]
        [::core::mem::offset_of!(flb_plugin_proxy_def_48, flags) - 8usize];
    ["Offset of field: flb_plugin_proxy_def_48::name"]
        [::core::mem::offset_of!(flb_plugin_proxy_def_48, name) - 16usize];
    ["Offset of field: flb_plugin_proxy_def_48::description"]
        [::core::mem::offset_of!(flb_plugin_proxy_def_48, description) - 24usize];
    ["Offset of field: flb_plugin_proxy_def_48::event_type"]
        [::core::mem::offset_of!(flb_plugin_proxy_def_48, event_type) - 32usize];
    ["Offset of field: flb_plugin_proxy_def_48::config_map"]
        [::core::mem::offset_of!(flb_plugin_proxy_def_48, config_map) - 40usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct flb_api {
    pub output_get_property: ::core::option::Option<
        unsafe extern "C" fn(
            key: *const ::core::ffi::c_char,
            arg1: *mut flb_output_instance,
        ) -> *const ::core::ffi::c_char,
    >,
    pub input_get_property: ::core::option::Option<
        unsafe extern "C" fn(
            key: *const ::core::ffi::c_char,
            arg1: *mut flb_input_instance,
        ) -> *const ::core::ffi::c_char,
    >,
    pub output_get_cmt_instance:
        ::core::option::Option<unsafe extern "C" fn(arg1: *mut flb_output_instance) -> *mut cmt>,
    pub input_get_cmt_instance:
        ::core::option::Option<unsafe extern "C" fn(arg1: *mut flb_input_instance) -> *mut cmt>,
    pub log_print: ::core::option::Option<
        unsafe extern "C" fn(
            level: ::core::ffi::c_int,
            file: *const ::core::ffi::c_char,
            line: ::core::ffi::c_int,
            format: *const ::core::ffi::c_char,
            ...
        ),
    >,
    pub input_log_check: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut flb_input_instance, level: ::core::ffi::c_int) -> ::core::ffi::c_int,
    >,
    pub output_log_check: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut flb_output_instance, level: ::core::ffi::c_int) -> ::core::ffi::c_int,
    >,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of flb_api"][::core::mem::size_of::<flb_api>() - 56usize];
    ["Alignment of flb_api"][::core::mem::align_of::<flb_api>() - 8usize];
    ["Offset of field: flb_api::output_get_property"]
        [::core::mem::offset_of!(flb_api, output_get_property) - 0usize];
    ["Offset of field: flb_api::input_get_property"]
        [::core::mem::offset_of!(flb_api, input_get_property) - 8usize];
    ["Offset of field: flb_api::output_get_cmt_instance"]
        [::core::mem::offset_of!(flb_api, output_get_cmt_instance) - 16usize];
    ["Offset of field: flb_api::input_get_cmt_instance"]
        [::core::mem::offset_of!(flb_api, input_get_cmt_instance) - 24usize];
    ["Offset of field: flb_api::log_print"][::core::mem::offset_of!(flb_api, log_print) - 32usize];
    ["Offset of field: flb_api::input_log_check"]
        [::core::mem::offset_of!(flb_api, input_log_check) - 40usize];
    ["Offset of field: flb_api::output_log_check"]
        [::core::mem::offset_of!(flb_api, output_log_check) - 48usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct flb_api_72 {
    pub common: flb_api,
    pub custom_get_property: ::core::option::Option<
        unsafe extern "C" fn(
            key: *const ::core::ffi::c_char,
            arg1: *mut ::core::ffi::c_void,
        ) -> *const ::core::ffi::c_char,
    >,
    pub custom_log_check: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void, level: ::core::ffi::c_int) -> ::core::ffi::c_int,
    >,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of flb_api_72"][::core::mem::size_of::<flb_api_72>() - 72usize];
    ["Alignment of flb_api_72"][::core::mem::align_of::<flb_api_72>() - 8usize];
    ["Offset of field: flb_api_72::common"][::core::mem::offset_of!(flb_api_72, common) - 0usize];
    ["Offset of field: flb_api_72::custom_get_property"]
        [::core::mem::offset_of!(flb_api_72, custom_get_property) - 56usize];
    ["Offset of field: flb_api_72::custom_log_check"]
        [::core::mem::offset_of!(flb_api_72, custom_log_check) - 64usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct flb_plugin_proxy_context {
    pub remote_context: *mut ::core::ffi::c_void,
    pub proxy: *mut ::core::ffi::c_void,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of flb_plugin_proxy_context"][::core::mem::size_of::<flb_plugin_proxy_context>() - 16usize];
    ["Alignment of flb_plugin_proxy_context"][::core::mem::align_of::<flb_plugin_proxy_context>() - 8usize];
    ["Offset of field: flb_plugin_proxy_context::remote_context"]
        [::core::mem::offset_of!(flb_plugin_proxy_context, remote_context) - 0usize];
    ["Offset of field: flb_plugin_proxy_context::proxy"]
        [::core::mem::offset_of!(flb_plugin_proxy_context, proxy) - 8usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct flbgo_output_plugin {
    pub name: *const ::core::ffi::c_char,
    pub api: *const flb_api,
    pub o_ins: *mut flb_output_instance,
    pub context: *mut flb_plugin_proxy_context,
    pub cb_init: *mut ::core::ffi::c_void,
    pub cb_flush: *mut ::core::ffi::c_void,
    pub cb_flush_ctx: *mut ::core::ffi::c_void,
    pub cb_exit: *mut ::core::ffi::c_void,
    pub cb_exit_ctx: *mut ::core::ffi::c_void,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of flbgo_output_plugin"][::core::mem::size_of::<flbgo_output_plugin>() - 72usize];
    ["Alignment of flbgo_output_plugin"][::core::mem::align_of::<flbgo_output_plugin>() - 8usize];
    ["Offset of field: flbgo_output_plugin::name"]
        [::core::mem::offset_of!(flbgo_output_plugin, name) - 0usize];
    ["Offset of field: flbgo_output_plugin::api"][::core::mem::offset_of!(flbgo_output_plugin, api) - 8usize];
    ["Offset of field: flbgo_output_plugin::o_ins"]
        [::core::mem::offset_of!(flbgo_output_plugin, o_ins) - 16usize];
    ["Offset of field: flbgo_output_plugin::context"]
        [::core::mem::offset_of!(flbgo_output_plugin, context) - 24usize];
    ["Offset of field: flbgo_output_plugin::cb_init"]
        [::core::mem::offset_of!(flbgo_output_plugin, cb_init) - 32usize];
    ["Offset of field: flbgo_output_plugin::cb_flush"]
        [::core::mem::offset_of!(flbgo_output_plugin, cb_flush) - 40usize];
    ["Offset of field: flbgo_output_plugin::cb_flush_ctx"]
        [::core::mem::offset_of!(flbgo_output_plugin, cb_flush_ctx) - 48usize];
    ["Offset of field: flbgo_output_plugin::cb_exit"]
        [::core::mem::offset_of!(flbgo_output_plugin, cb_exit) - 56usize];
    ["Offset of field: flbgo_output_plugin::cb_exit_ctx"]
        [::core::mem::offset_of!(flbgo_output_plugin, cb_exit_ctx) - 64usize];
};
pub type flb_filter_get_property_fn = ::core::option::Option<
    unsafe extern "C" fn(
        key: *const ::core::ffi::c_char,
        arg1: *mut flb_filter_instance,
    ) -> *const ::core::ffi::c_char,
>;
pub type flb_filter_name_fn = ::core::option::Option<
    unsafe extern "C" fn(arg1: *mut flb_filter_instance) -> *const ::core::ffi::c_char,
>;
pub type flb_filter_set_context_fn = ::core::option::Option<
    unsafe extern "C" fn(arg1: *mut flb_filter_instance, context: *mut ::core::ffi::c_void),
>;
pub type flb_input_get_property_fn = ::core::option::Option<
    unsafe extern "C" fn(
        key: *const ::core::ffi::c_char,
        arg1: *mut flb_input_instance,
    ) -> *const ::core::ffi::c_char,
>;
pub type flb_input_name_fn =
    ::core::option::Option<unsafe extern "C" fn(arg1: *mut flb_input_instance) -> *const ::core::ffi::c_char>;
pub type flb_input_set_context_fn = ::core::option::Option<
    unsafe extern "C" fn(arg1: *mut flb_input_instance, context: *mut ::core::ffi::c_void),
>;
pub type flb_input_log_check_fn = ::core::option::Option<
    unsafe extern "C" fn(arg1: *mut flb_input_instance, level: ::core::ffi::c_int) -> ::core::ffi::c_int,
>;
pub type flb_input_set_collector_time_fn = ::core::option::Option<
    unsafe extern "C" fn(
        arg1: *mut flb_input_instance,
        collect: flb_input_cb,
        seconds: ::core::ffi::c_long,
        nanoseconds: ::core::ffi::c_long,
        arg2: *mut flb_config,
    ) -> ::core::ffi::c_int,
>;
pub type flb_input_set_collector_event_fn = ::core::option::Option<
    unsafe extern "C" fn(
        arg1: *mut flb_input_instance,
        collect: flb_input_cb,
        fd: ::core::ffi::c_int,
        arg2: *mut flb_config,
    ) -> ::core::ffi::c_int,
>;
pub type flb_input_log_append_fn = ::core::option::Option<
    unsafe extern "C" fn(
        arg1: *mut flb_input_instance,
        tag: *const ::core::ffi::c_char,
        tag_len: usize,
        buf: *const ::core::ffi::c_void,
        size: usize,
    ) -> ::core::ffi::c_int,
>;
pub type flb_input_log_append_records_fn = ::core::option::Option<
    unsafe extern "C" fn(
        arg1: *mut flb_input_instance,
        records: usize,
        tag: *const ::core::ffi::c_char,
        tag_len: usize,
        buf: *const ::core::ffi::c_void,
        size: usize,
    ) -> ::core::ffi::c_int,
>;
pub type flb_input_new_fn = ::core::option::Option<
    unsafe extern "C" fn(
        arg1: *mut flb_config,
        plugin: *const ::core::ffi::c_char,
        data: *mut ::core::ffi::c_void,
        public_only: ::core::ffi::c_int,
    ) -> *mut flb_input_instance,
>;
pub type flb_input_set_property_fn = ::core::option::Option<
    unsafe extern "C" fn(
        arg1: *mut flb_input_instance,
        key: *const ::core::ffi::c_char,
        value: *const ::core::ffi::c_char,
    ) -> ::core::ffi::c_int,
>;
pub type flb_input_instance_init_fn = ::core::option::Option<
    unsafe extern "C" fn(arg1: *mut flb_input_instance, arg2: *mut flb_config) -> ::core::ffi::c_int,
>;
pub type flb_input_instance_destroy_fn =
    ::core::option::Option<unsafe extern "C" fn(arg1: *mut flb_input_instance)>;
pub type flb_storage_input_create_fn = ::core::option::Option<
    unsafe extern "C" fn(arg1: *mut cio_ctx, arg2: *mut flb_input_instance) -> ::core::ffi::c_int,
>;
pub type flb_engine_flush_fn = ::core::option::Option<
    unsafe extern "C" fn(arg1: *mut flb_config, input: *mut ::core::ffi::c_void) -> ::core::ffi::c_int,
>;
pub type flb_output_name_fn = ::core::option::Option<
    unsafe extern "C" fn(arg1: *mut flb_output_instance) -> *const ::core::ffi::c_char,
>;
pub type flb_output_set_property_fn = ::core::option::Option<
    unsafe extern "C" fn(
        arg1: *mut flb_output_instance,
        key: *const ::core::ffi::c_char,
        value: *const ::core::ffi::c_char,
    ) -> ::core::ffi::c_int,
>;
pub type flb_output_enable_multi_threading_fn = ::core::option::Option<
    unsafe extern "C" fn(arg1: *mut flb_output_instance, arg2: *mut flb_config) -> ::core::ffi::c_int,
>;
pub type flb_log_print_fn = ::core::option::Option<
    unsafe extern "C" fn(
        level: ::core::ffi::c_int,
        file: *const ::core::ffi::c_char,
        line: ::core::ffi::c_int,
        format: *const ::core::ffi::c_char,
        ...
    ),
>;
pub type flb_worker_get_fn = ::core::option::Option<unsafe extern "C" fn() -> *mut flb_worker>;
pub type flb_worker_log_level_fn =
    ::core::option::Option<unsafe extern "C" fn(arg1: *mut flb_worker) -> ::core::ffi::c_int>;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct flb_time {
    pub seconds: i64,
    pub nanoseconds: i64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of flb_time"][::core::mem::size_of::<flb_time>() - 16usize];
    ["Alignment of flb_time"][::core::mem::align_of::<flb_time>() - 8usize];
    ["Offset of field: flb_time::seconds"][::core::mem::offset_of!(flb_time, seconds) - 0usize];
    ["Offset of field: flb_time::nanoseconds"][::core::mem::offset_of!(flb_time, nanoseconds) - 8usize];
};
pub type flb_parser_get_fn = ::core::option::Option<
    unsafe extern "C" fn(name: *const ::core::ffi::c_char, arg1: *mut flb_config) -> *mut flb_parser,
>;
pub type flb_parser_do_fn = ::core::option::Option<
    unsafe extern "C" fn(
        arg1: *mut flb_parser,
        text: *const ::core::ffi::c_char,
        length: usize,
        out_buf: *mut *mut ::core::ffi::c_void,
        out_size: *mut usize,
        out_time: *mut flb_time,
    ) -> ::core::ffi::c_int,
>;
pub type cmt_create_fn = ::core::option::Option<unsafe extern "C" fn() -> *mut cmt>;
pub type cmt_destroy_fn = ::core::option::Option<unsafe extern "C" fn(arg1: *mut cmt)>;
pub type flb_metrics_fluentbit_add_fn =
    ::core::option::Option<unsafe extern "C" fn(arg1: *mut flb_config, arg2: *mut cmt) -> ::core::ffi::c_int>;
pub type cmt_counter_create_fn = ::core::option::Option<
    unsafe extern "C" fn(
        arg1: *mut cmt,
        ns: *const ::core::ffi::c_char,
        subsystem: *const ::core::ffi::c_char,
        name: *const ::core::ffi::c_char,
        help: *const ::core::ffi::c_char,
        labels: ::core::ffi::c_int,
        keys: *const *const ::core::ffi::c_char,
    ) -> *mut cmt_counter,
>;
pub type cmt_counter_set_fn = ::core::option::Option<
    unsafe extern "C" fn(
        arg1: *mut cmt_counter,
        time: u64,
        value: f64,
        labels: ::core::ffi::c_int,
        values: *const *const ::core::ffi::c_char,
    ) -> ::core::ffi::c_int,
>;
pub type cmt_gauge_create_fn = ::core::option::Option<
    unsafe extern "C" fn(
        arg1: *mut cmt,
        ns: *const ::core::ffi::c_char,
        subsystem: *const ::core::ffi::c_char,
        name: *const ::core::ffi::c_char,
        help: *const ::core::ffi::c_char,
        labels: ::core::ffi::c_int,
        keys: *const *const ::core::ffi::c_char,
    ) -> *mut cmt_gauge,
>;
pub type cmt_gauge_set_fn = ::core::option::Option<
    unsafe extern "C" fn(
        arg1: *mut cmt_gauge,
        time: u64,
        value: f64,
        labels: ::core::ffi::c_int,
        values: *const *const ::core::ffi::c_char,
    ) -> ::core::ffi::c_int,
>;
pub type cmt_encode_text_create_fn =
    ::core::option::Option<unsafe extern "C" fn(arg1: *mut cmt) -> *mut ::core::ffi::c_char>;
pub type cmt_encode_text_destroy_fn =
    ::core::option::Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_char)>;
