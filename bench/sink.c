/* An SMTP sink for benchmarks: takes everything, fast, and writes down what it took, so that "exactly N unique" can be
 * checked afterwards and a sample of the messages compared with a reference.
 *
 *   sink PORT LOG SAMPLES EVERY      (cc -O2 -o sink sink.c)
 *
 * LOG gets one line per accepted message: recipient, X-Rekindle-Send (or Message-ID), List-Unsubscribe; tab-separated.
 * SAMPLES gets every EVERY-th message: "<length> <recipient>\n", the bytes as received, "\n".
 * Both files are flushed whenever nothing is waiting. PIPELINING, 8BITMIME and SIZE are offered. Not for production.
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
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 1 << 18, OUT = 1 << 13 };

struct client {
    int fd, in_data;
    size_t used;
    char rcpt[256];
    char in[ROOM];
};

static FILE *log_file, *samples;
static long every, taken;

static void header(const char *message, size_t length, const char *name, char *value, size_t room) {
    const char *end = memmem(message, length, "\r\n\r\n", 4);
    const char *limit = end ? end : message + length;
    size_t n = strlen(name);
    value[0] = 0;
    for (const char *line = message; line < limit;) {
        const char *stop = memmem(line, limit - line, "\r\n", 2);
        if (!stop) stop = limit;
        if ((size_t)(stop - line) > n && !strncasecmp(line, name, n)) {
            const char *from = line + n;
            while (from < stop && *from == ' ') from++;
            size_t size = (size_t)(stop - from) < room - 1 ? (size_t)(stop - from) : room - 1;
            memcpy(value, from, size);
            value[size] = 0;
            return;
        }
        line = stop + 2;
    }
}

static void accept_message(struct client *c, const char *message, size_t length) {
    char id[256], unsubscribe[512];
    header(message, length, "X-Rekindle-Send:", id, sizeof id);
    if (!id[0]) header(message, length, "Message-ID:", id, sizeof id);
    header(message, length, "List-Unsubscribe:", unsubscribe, sizeof unsubscribe);
    fprintf(log_file, "%s\t%s\t%s\n", c->rcpt, id, unsubscribe);
    if (every > 0 && taken % every == 0) {
        fprintf(samples, "%zu %s\n", length, c->rcpt);
        fwrite(message, 1, length, samples);
        fputc('\n', samples);
    }
    taken++;
}

static void command(struct client *c, const char *line, size_t length, char *out, size_t *o, int *quit) {
    const char *reply = "250 2.1.0 ok\r\n";
    if (length >= 4 && !strncasecmp(line, "EHLO", 4))
        reply = "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 52428800\r\n";
    else if (length >= 4 && !strncasecmp(line, "DATA", 4)) {
        c->in_data = 1;
        reply = "354 go on\r\n";
    } else if (length >= 4 && !strncasecmp(line, "QUIT", 4)) {
        *quit = 1;
        reply = "221 2.0.0 bye\r\n";
    } else if (length >= 4 && !strncasecmp(line, "RCPT", 4)) {
        const char *from = memchr(line, '<', length), *to = memchr(line, '>', length);
        size_t size = from && to && to > from ? (size_t)(to - from - 1) : 0;
        if (size > sizeof c->rcpt - 1) size = sizeof c->rcpt - 1;
        memcpy(c->rcpt, from ? from + 1 : line, size);
        c->rcpt[size] = 0;
    }
    size_t n = strlen(reply);
    memcpy(out + *o, reply, n);
    *o += n;
}

static int flush_out(int fd, char *out, size_t *o) {
    size_t done = 0;
    while (done < *o) {
        ssize_t n = write(fd, out + done, *o - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return -1;
        done += (size_t)n;
    }
    *o = 0;
    return 0;
}

static int serve(struct client *c) {
    char out[OUT];
    size_t o = 0, at = 0;
    int quit = 0;
    if (c->used == ROOM) return -1; /* a message larger than the buffer: not in a benchmark */
    ssize_t n = read(c->fd, c->in + c->used, ROOM - c->used);
    if (n <= 0) return -1;
    c->used += (size_t)n;
    while (at < c->used && !quit) {
        char *from = c->in + at;
        size_t left = c->used - at;
        if (c->in_data) {
            char *end = memmem(from, left, "\r\n.\r\n", 5);
            if (!end) break;
            accept_message(c, from, (size_t)(end - from));
            c->in_data = 0;
            at = (size_t)(end - c->in) + 5;
            o += (size_t)sprintf(out + o, "250 2.0.0 queued\r\n");
        } else {
            char *end = memmem(from, left, "\r\n", 2);
            if (!end) break;
            command(c, from, (size_t)(end - from), out, &o, &quit);
            at = (size_t)(end - c->in) + 2;
        }
        if (o > OUT - 512 && flush_out(c->fd, out, &o)) return -1;
    }
    memmove(c->in, c->in + at, c->used - at);
    c->used -= at;
    return flush_out(c->fd, out, &o) || quit ? -1 : 0;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: sink PORT LOG SAMPLES EVERY\n");
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
                c->fd = fd, c->in_data = 0, c->used = 0, c->rcpt[0] = 0;
                wish.data.ptr = c;
                epoll_ctl(poll, EPOLL_CTL_ADD, fd, &wish);
                if (write(fd, "220 sink ESMTP\r\n", 16) != 16) continue;
            } else if (serve(c)) {
                close(c->fd);
                free(c);
            }
        }
    }
}
