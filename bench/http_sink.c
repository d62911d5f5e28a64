/* A provider's HTTP API for benchmarks: takes every POST, answers 202, and writes down what it took, so that "exactly N
 * unique" can be checked afterwards and a sample of the bodies compared with a reference.
 *
 *   http_sink PORT LOG SAMPLES EVERY      (cc -O2 -o http_sink http_sink.c)
 *
 * LOG gets one line per request: the first "email" and "send_id" of its JSON body and what stands in <> behind
 * "List-Unsubscribe", tab-separated. SAMPLES gets every EVERY-th body: "<length> <email>\n", the bytes, "\n".
 * Both files are flushed whenever nothing is waiting. Keep-alive only. Not for production.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 1 << 18 };

struct client {
    int fd;
    size_t used;
    char in[ROOM];
};

static FILE *log_file, *samples;
static long every, taken;

/* The text between `open` and `close` behind the first `name`, as it is written. */
static void value(const char *body, size_t length, const char *name, const char *open, char close, char *out, size_t room) {
    const char *limit = body + length;
    out[0] = 0;
    const char *at = memmem(body, length, name, strlen(name));
    if (!at) return;
    at += strlen(name);
    at = memmem(at, (size_t)(limit - at), open, strlen(open));
    if (!at) return;
    at += strlen(open);
    const char *end = memchr(at, close, (size_t)(limit - at));
    size_t size = end ? (size_t)(end - at) : 0;
    if (size > room - 1) size = room - 1;
    memcpy(out, at, size);
    out[size] = 0;
}

static void accept_body(const char *body, size_t length) {
    char to[256], id[256], unsubscribe[512];
    value(body, length, "\"email\"", "\"", '"', to, sizeof to);
    value(body, length, "\"send_id\"", "\"", '"', id, sizeof id);
    value(body, length, "\"List-Unsubscribe\"", "<", '>', unsubscribe, sizeof unsubscribe);
    fprintf(log_file, "%s\t%s\t<%s>\n", to, id, unsubscribe);
    if (every > 0 && taken % every == 0) {
        fprintf(samples, "%zu %s\n", length, to);
        fwrite(body, 1, length, samples);
        fputc('\n', samples);
    }
    taken++;
}

static int serve(struct client *c) {
    if (c->used == ROOM) return -1; /* a request larger than the buffer: not in a benchmark */
    ssize_t n = read(c->fd, c->in + c->used, ROOM - c->used);
    if (n <= 0) return -1;
    c->used += (size_t)n;
    size_t at = 0;
    while (at < c->used) {
        char *from = c->in + at;
        char *head = memmem(from, c->used - at, "\r\n\r\n", 4);
        if (!head) break;
        char *told = memmem(from, (size_t)(head - from) + 2, "\r\nContent-Length:", 17);
        size_t length = told ? (size_t)strtoul(told + 17, NULL, 10) : 0, begun = (size_t)(head - c->in) + 4;
        if (c->used < begun + length) break;
        accept_body(c->in + begun, length);
        char answer[128];
        int size = sprintf(answer, "HTTP/1.1 202 Accepted\r\nX-Message-Id: m%ld\r\nContent-Length: 0\r\n\r\n", taken);
        if (write(c->fd, answer, (size_t)size) != size) return -1;
        at = begun + length;
    }
    memmove(c->in, c->in + at, c->used - at);
    c->used -= at;
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: http_sink PORT LOG SAMPLES EVERY\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    log_file = fopen(argv[2], "w");
    samples = fopen(argv[3], "w");
    every = atol(argv[4]);
    if (!log_file || !samples) return perror("open"), 1;
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024)) return perror("bind"), 1;
    int poll = epoll_create1(0);
    struct epoll_event wish = {.events = EPOLLIN, .data.ptr = NULL}, ready[256];
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &wish);
    for (;;) {
        int count = epoll_wait(poll, ready, 256, 0);
        if (count == 0) {
            fflush(log_file);
            fflush(samples);
            count = epoll_wait(poll, ready, 256, -1);
        }
        for (int i = 0; i < count; i++) {
            struct client *c = ready[i].data.ptr;
            if (!c) {
                int fd = accept(listener, NULL, NULL);
                if (fd < 0) continue;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                c = malloc(sizeof *c);
                c->fd = fd, c->used = 0;
                wish.data.ptr = c;
                epoll_ctl(poll, EPOLL_CTL_ADD, fd, &wish);
            } else if (serve(c)) {
                close(c->fd);
                free(c);
            }
        }
    }
}
