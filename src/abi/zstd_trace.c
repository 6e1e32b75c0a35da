/*
 * Hooks that zstd looks for by weak symbols, so that a program may trace it. Left open, a host that defines them would
 * be called by our zstd; here they are ours, and trace nothing.
 *
 * Invariant: tests/host/exports.rs finds no symbol of zstd outside.
 */
#include <stddef.h>

#define LOCAL __attribute__((visibility("hidden")))

LOCAL unsigned long long ZSTD_trace_compress_begin(const void *context);
LOCAL unsigned long long ZSTD_trace_compress_begin(const void *context)
{
    (void) context;
    return 0; /* no trace of this call */
}

LOCAL void ZSTD_trace_compress_end(unsigned long long trace, const void *summary);
LOCAL void ZSTD_trace_compress_end(unsigned long long trace, const void *summary)
{
    (void) trace;
    (void) summary;
}

LOCAL unsigned long long ZSTD_trace_decompress_begin(const void *context);
LOCAL unsigned long long ZSTD_trace_decompress_begin(const void *context)
{
    (void) context;
    return 0;
}

LOCAL void ZSTD_trace_decompress_end(unsigned long long trace, const void *summary);
LOCAL void ZSTD_trace_decompress_end(unsigned long long trace, const void *summary)
{
    (void) trace;
    (void) summary;
}
