/* A preloaded fdatasync that takes as long as a slow disk would: a time for each sync, and a time for what the calling
 * thread has written since its last one. The store's threads behind the commits keep the disk that there is. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static __thread unsigned long long written_before;

/* Bytes that this thread has handed to write calls so far (proc(5), wchar). */
static unsigned long long written(void) {
    char text[512] = "";
    unsigned long long bytes = written_before;
    int file = open("/proc/thread-self/io", O_RDONLY | O_CLOEXEC);
    if (file >= 0 && read(file, text, sizeof text - 1) > 0) {
        const char *line = strstr(text, "wchar: ");
        if (line != NULL)
            bytes = strtoull(line + 7, NULL, 10);
    }
    if (file >= 0)
        close(file);
    return bytes;
}

static unsigned long long setting(const char *name) {
    const char *text = getenv(name);
    return text == NULL ? 0 : strtoull(text, NULL, 10);
}

static int is_behind_the_commits(void) {
    char name[16] = "";
    prctl(PR_GET_NAME, name);
    return strcmp(name, "store-segments") == 0 || strcmp(name, "store-index") == 0;
}

int fdatasync(int file) {
    if (!is_behind_the_commits()) {
        unsigned long long now = written();
        unsigned long long bytes_per_sec = setting("SLOW_DISK_BYTES_PER_SEC");
        unsigned long long micros = setting("SLOW_DISK_SYNC_MICROS");
        if (bytes_per_sec > 0)
            micros += (now - written_before) * 1000000 / bytes_per_sec;
        struct timespec pause = {(time_t)(micros / 1000000), (long)(micros % 1000000) * 1000};
        nanosleep(&pause, NULL);
        written_before = now;
    }
    return (int)syscall(SYS_fdatasync, file);
}
