/* Writes down what a process does to the files of one folder, so that the folder can be put back
 * together as a power cut at any instant would have left it.
 *
 * Preloaded into the process. POWER_CUT_FOLDER is the folder, POWER_CUT_LOG the file to write to;
 * POWER_CUT_SPACE, if set, is how many bytes may be written before the disk is full. A sync is
 * written down and not carried out: whether the real disk obeys is not what is tested.
 *
 * One record: "<kind> <inode> <offset> <length> <path>\n", then <length> bytes.
 *   C created   W written   T truncated to <offset>   S synced   D folder synced
 *   U unlinked  R renamed (the bytes are the new path)          M marked by the program
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define DESCRIPTORS 4096

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *folder;
static int journal = -1;
static long long space = -1;
static char *paths[DESCRIPTORS];

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("POWER_CUT_LOG");
    folder = getenv("POWER_CUT_FOLDER");
    if (getenv("POWER_CUT_SPACE"))
        space = atoll(getenv("POWER_CUT_SPACE"));
    if (folder && path) {
        REAL(open);
        journal = real(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    }
}

static int watched(const char *path) {
    size_t length = folder ? strlen(folder) : 0;
    return journal >= 0 && path && length && !strncmp(path, folder, length) && (path[length] == '/' || !path[length]);
}

static void put(const void *data, size_t length) {
    REAL(write);
    for (size_t done = 0; done < length;) {
        ssize_t n = real(journal, (const char *)data + done, length - done);
        if (n <= 0)
            abort();
        done += (size_t)n;
    }
}

static void record(char kind, unsigned long long inode, long long offset, const char *path, const void *data, size_t length) {
    char head[4200];
    int n = snprintf(head, sizeof head, "%c %llu %lld %zu %s\n", kind, inode, offset, length, path);
    pthread_mutex_lock(&lock);
    put(head, (size_t)n);
    if (length)
        put(data, length);
    pthread_mutex_unlock(&lock);
}

static unsigned long long inode_of(int fd) {
    struct stat state;
    return fstat(fd, &state) ? 0 : (unsigned long long)state.st_ino;
}

static const char *path_of(int fd) {
    return fd >= 0 && fd < DESCRIPTORS ? paths[fd] : NULL;
}

static int opened(int fd, const char *path, int flags, int existed) {
    if (fd >= 0 && fd < DESCRIPTORS && watched(path)) {
        free(paths[fd]);
        paths[fd] = strdup(path);
        if ((flags & O_CREAT) && !existed)
            record('C', inode_of(fd), 0, path, NULL, 0);
        else if (flags & O_TRUNC)
            record('T', inode_of(fd), 0, path, NULL, 0);
    }
    return fd;
}

#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...) {                                                                       \
        REAL(name);                                                                                                    \
        mode_t mode = 0;                                                                                               \
        if (flags & O_CREAT) {                                                                                         \
            va_list rest;                                                                                              \
            va_start(rest, flags);                                                                                     \
            mode = va_arg(rest, mode_t);                                                                               \
            va_end(rest);                                                                                              \
        }                                                                                                              \
        int existed = !access(path, F_OK);                                                                             \
        return opened(real(path, flags, mode), path, flags, existed);                                                  \
    }

OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                                                   \
    int name(int at, const char *path, int flags, ...) {                                                               \
        REAL(name);                                                                                                    \
        mode_t mode = 0;                                                                                               \
        if (flags & O_CREAT) {                                                                                         \
            va_list rest;                                                                                              \
            va_start(rest, flags);                                                                                     \
            mode = va_arg(rest, mode_t);                                                                               \
            va_end(rest);                                                                                              \
        }                                                                                                              \
        int existed = !access(path, F_OK);                                                                             \
        return opened(real(at, path, flags, mode), path, flags, existed);                                              \
    }

OPENAT(openat)
OPENAT(openat64)

int close(int fd) {
    REAL(close);
    if (path_of(fd)) {
        free(paths[fd]);
        paths[fd] = NULL;
    }
    return real(fd);
}

static int is_full(size_t length) {
    if (space < 0)
        return 0;
    if (space < (long long)length) {
        errno = ENOSPC;
        return 1;
    }
    space -= (long long)length;
    return 0;
}

static int is_mark(const char *path) {
    const char *name = strrchr(path, '/');
    return name && !strcmp(name, "/acknowledged");
}

ssize_t write(int fd, const void *data, size_t length) {
    REAL(write);
    const char *path = path_of(fd);
    if (!path)
        return real(fd, data, length);
    off_t offset = lseek(fd, 0, SEEK_CUR);
    if (!is_mark(path) && is_full(length))
        return -1;
    ssize_t n = real(fd, data, length);
    if (n > 0)
        record(is_mark(path) ? 'M' : 'W', inode_of(fd), offset, path, data, (size_t)n);
    return n;
}

#define PWRITE(name, offset_type)                                                                                      \
    ssize_t name(int fd, const void *data, size_t length, offset_type offset) {                                        \
        REAL(name);                                                                                                    \
        const char *path = path_of(fd);                                                                                \
        if (path && is_full(length))                                                                                   \
            return -1;                                                                                                 \
        ssize_t n = real(fd, data, length, offset);                                                                    \
        if (path && n > 0)                                                                                             \
            record('W', inode_of(fd), (long long)offset, path, data, (size_t)n);                                       \
        return n;                                                                                                      \
    }

PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define TRUNCATE(name, offset_type)                                                                                    \
    int name(int fd, offset_type length) {                                                                             \
        REAL(name);                                                                                                    \
        int result = real(fd, length);                                                                                 \
        if (!result && path_of(fd))                                                                                    \
            record('T', inode_of(fd), (long long)length, path_of(fd), NULL, 0);                                        \
        return result;                                                                                                 \
    }

TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

static int synced(int fd) {
    struct stat state;
    int is_folder = !fstat(fd, &state) && S_ISDIR(state.st_mode);
    record(is_folder ? 'D' : 'S', inode_of(fd), 0, path_of(fd), NULL, 0);
    return 0;
}

int fsync(int fd) {
    REAL(fsync);
    return path_of(fd) ? synced(fd) : real(fd);
}

int fdatasync(int fd) {
    REAL(fdatasync);
    return path_of(fd) ? synced(fd) : real(fd);
}

int unlink(const char *path) {
    REAL(unlink);
    int result = real(path);
    if (!result && watched(path))
        record('U', 0, 0, path, NULL, 0);
    return result;
}

int rename(const char *from, const char *to) {
    REAL(rename);
    int result = real(from, to);
    if (!result && (watched(from) || watched(to)))
        record('R', 0, 0, from, to, strlen(to));
    return result;
}
