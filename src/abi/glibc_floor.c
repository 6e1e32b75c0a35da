/*
 * Lets a shared object that is linked against any glibc be loaded by glibc 2.31 (the base of older Fluent Bit
 * images). build.rs tells the linker to send calls of these functions here (--wrap), and here they bind to the
 * version that every glibc has: 2.32 to 2.34 moved them between libraries, with the same behaviour.
 *
 * Invariant: each wrapper only calls on. tests/host/exports.rs finds what is missing here.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stddef.h>
#include <sys/stat.h>

#if defined(__x86_64__)
#define BASE "GLIBC_2.2.5"
#define DLADDR1 "GLIBC_2.3.3"
#define SETNAME "GLIBC_2.12"
#define STAT_VERSION 1
#elif defined(__aarch64__)
#define BASE "GLIBC_2.17"
#define DLADDR1 BASE
#define SETNAME BASE
#define STAT_VERSION 0
#endif

#define BIND(version, result, name, parameters, arguments)                     \
    extern result floor_##name parameters;                                     \
    __asm__(".symver floor_" #name "," #name "@" version);                     \
    result __wrap_##name parameters;                                           \
    result __wrap_##name parameters { return floor_##name arguments; }

BIND(BASE, int, pthread_create, (pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *x), (t, a, f, x))
BIND(BASE, int, pthread_join, (pthread_t t, void **r), (t, r))
BIND(BASE, int, pthread_detach, (pthread_t t), (t))
BIND(BASE, int, pthread_getattr_np, (pthread_t t, pthread_attr_t *a), (t, a))
BIND(BASE, int, pthread_attr_getguardsize, (const pthread_attr_t *a, size_t *n), (a, n))
BIND(BASE, int, pthread_attr_getstack, (const pthread_attr_t *a, void **s, size_t *n), (a, s, n))
BIND(BASE, int, pthread_attr_setstacksize, (pthread_attr_t *a, size_t n), (a, n))
BIND(SETNAME, int, pthread_setname_np, (pthread_t t, const char *n), (t, n))
BIND(BASE, int, pthread_key_create, (pthread_key_t *k, void (*d)(void *)), (k, d))
BIND(BASE, int, pthread_key_delete, (pthread_key_t k), (k))
BIND(BASE, int, pthread_setspecific, (pthread_key_t k, const void *v), (k, v))
BIND(BASE, void *, pthread_getspecific, (pthread_key_t k), (k))
BIND(BASE, int, pthread_mutex_trylock, (pthread_mutex_t *m), (m))
BIND(BASE, int, pthread_mutexattr_init, (pthread_mutexattr_t *a), (a))
BIND(BASE, int, pthread_mutexattr_settype, (pthread_mutexattr_t *a, int t), (a, t))
BIND(BASE, int, pthread_mutexattr_destroy, (pthread_mutexattr_t *a), (a))
BIND(BASE, int, pthread_once, (pthread_once_t *o, void (*f)(void)), (o, f))
BIND(BASE, void *, dlsym, (void *h, const char *n), (h, n))
BIND(BASE, void *, dlopen, (const char *n, int f), (n, f))
BIND(BASE, int, dlclose, (void *h), (h))
BIND(BASE, char *, dlerror, (void), ())
BIND(DLADDR1, int, dladdr1, (const void *a, void *i, void **e, int f), (a, i, e, f))

/* Until 2.33 these were not functions of the library but calls of versioned ones. */
extern int __fxstat(int, int, struct stat *);
extern int __fxstat64(int, int, struct stat64 *);
extern int __xstat64(int, const char *, struct stat64 *);
extern int __lxstat64(int, const char *, struct stat64 *);
extern int __fxstatat64(int, int, const char *, struct stat64 *, int);

int __wrap_fstat(int fd, struct stat *s);
int __wrap_fstat64(int fd, struct stat64 *s);
int __wrap_stat64(const char *p, struct stat64 *s);
int __wrap_lstat64(const char *p, struct stat64 *s);
int __wrap_fstatat64(int d, const char *p, struct stat64 *s, int f);

int __wrap_fstat(int fd, struct stat *s) { return __fxstat(STAT_VERSION, fd, s); }
int __wrap_fstat64(int fd, struct stat64 *s) { return __fxstat64(STAT_VERSION, fd, s); }
int __wrap_stat64(const char *p, struct stat64 *s) { return __xstat64(STAT_VERSION, p, s); }
int __wrap_lstat64(const char *p, struct stat64 *s) { return __lxstat64(STAT_VERSION, p, s); }
int __wrap_fstatat64(int d, const char *p, struct stat64 *s, int f) { return __fxstatat64(STAT_VERSION, d, p, s, f); }
