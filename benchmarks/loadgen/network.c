/* Sockets and the event loop. */
#include "loadgen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    READ_BYTES = 1 << 18,
    EVENTS_AT_ONCE = 1024,
    STALLED_RECEIVE_BUFFER = 4096, /* so that a stalled reader's data piles up in the server, not here */
    FAILURES_TO_PRINT = 5,
};

struct connection *connections;
int connections_opening;
int connections_ready_count;
int connections_closed_count;
bool connections_may_close;

static int next_to_open;
static int epoll_fd;

uint64_t now_us(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * SECOND_US + (uint64_t)time.tv_nsec / 1000;
}

void buffer_append(struct buffer *buffer, const void *data, size_t length) {
    if (!length) return;
    if (buffer->length + length > buffer->capacity) {
        buffer->capacity = (buffer->length + length) * 2;
        buffer->data = realloc(buffer->data, buffer->capacity);
        if (!buffer->data) {
            perror("realloc");
            exit(1);
        }
    }
    memcpy(buffer->data + buffer->length, data, length);
    buffer->length += length;
}

bool connection_is_open(const struct connection *connection) {
    return connection->state != STATE_NEW && connection->state != STATE_CLOSED;
}

void connection_close(struct connection *connection, const char *why) {
    if (connection->state == STATE_CLOSED) return;
    bool may_close = connections_may_close || connection->stalled || connection->leaving;
    if (!may_close && connections_closed_count < FAILURES_TO_PRINT)
        fprintf(stderr, "connection %d lost in state %d: %s\n", connection->index, connection->state, why);
    if (connection->state == STATE_READY)
        load_reader_gone(connection);
    else
        connections_opening--;
    connections_closed_count++;
    connection->state = STATE_CLOSED;
    close(connection->fd);
}

void connection_ready(struct connection *connection) {
    connection->state = STATE_READY;
    connections_opening--;
    connections_ready_count++;
    heartbeat_start(connection, now_us());
}

static void watch(struct connection *connection, uint32_t events) {
    if (connection->watched == events) return;
    struct epoll_event event = {.events = events, .data.ptr = connection};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, connection->fd, &event);
    connection->watched = events;
}

/* What a connection in its present state waits for; hang-ups and errors are reported in any case. */
static void watch_what_matters(struct connection *connection) {
    if (connection->state == STATE_CLOSED) return;
    uint32_t events = connection->stalled && connection->state == STATE_READY ? 0 : EPOLLIN;
    if (connection->unsent.length) events |= EPOLLOUT;
    watch(connection, events);
}

void connection_stall(struct connection *connection) {
    connection->stalled = true;
    watch_what_matters(connection);
}

void connection_write(struct connection *connection, const void *data, size_t length) {
    connection->last_write_us = now_us();
    if (connection->unsent.length) { /* keep the order */
        buffer_append(&connection->unsent, data, length);
        return;
    }
    ssize_t sent = send(connection->fd, data, length, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        connection_close(connection, strerror(errno));
        return;
    }
    if (sent < 0) sent = 0;
    if ((size_t)sent < length) {
        buffer_append(&connection->unsent, (const uint8_t *)data + sent, length - (size_t)sent);
        watch_what_matters(connection);
    }
}

static void write_unsent(struct connection *connection) {
    struct buffer *unsent = &connection->unsent;
    ssize_t sent = send(connection->fd, unsent->data, unsent->length, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN) connection_close(connection, strerror(errno));
        return;
    }
    memmove(unsent->data, unsent->data + sent, unsent->length - (size_t)sent);
    unsent->length -= (size_t)sent;
    watch_what_matters(connection);
}

static void read_available(struct connection *connection) {
    static uint8_t received[READ_BYTES];
    ssize_t count = recv(connection->fd, received, sizeof received, 0);
    if (count <= 0) {
        if (count == 0)
            connection_close(connection, "closed by the server");
        else if (errno != EAGAIN)
            connection_close(connection, strerror(errno));
        return;
    }
    uint64_t now = now_us();
    struct buffer *unread = &connection->unread;
    if (!unread->length) { /* the usual case: whole frames, no copy */
        size_t taken = websocket_receive(connection, received, (size_t)count, now);
        buffer_append(unread, received + taken, (size_t)count - taken);
        return;
    }
    buffer_append(unread, received, (size_t)count);
    size_t taken = websocket_receive(connection, unread->data, unread->length, now);
    memmove(unread->data, unread->data + taken, unread->length - taken);
    unread->length -= taken;
}

static void finish_connecting(struct connection *connection) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        connection_close(connection, strerror(error));
        return;
    }
    connection->state = STATE_HANDSHAKING;
    watch_what_matters(connection);
    websocket_handshake(connection);
}

static void handle(struct connection *connection, uint32_t events) {
    if (connection->state == STATE_CONNECTING) {
        finish_connecting(connection);
        return;
    }
    if (events & EPOLLOUT && connection->unsent.length) write_unsent(connection);
    if (events & EPOLLIN && connection->state != STATE_CLOSED) read_available(connection);
    else if (events & (EPOLLHUP | EPOLLERR)) connection_close(connection, "cut off by the server");
}

void network_poll(int timeout_ms) {
    static struct epoll_event events[EVENTS_AT_ONCE];
    int count = epoll_wait(epoll_fd, events, EVENTS_AT_ONCE, timeout_ms);
    for (int i = 0; i < count; i++) {
        struct connection *connection = events[i].data.ptr;
        if (connection_is_open(connection)) handle(connection, events[i].events);
    }
    heartbeat_tick(now_us());
}

void network_poll_for(double seconds) {
    uint64_t end = now_us() + (uint64_t)(seconds * 1e6);
    while (now_us() < end) network_poll(10);
}

void connection_open(struct connection *connection) {
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0) {
        perror("socket");
        exit(1);
    }
    int on = 1;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connection->stalled) {
        int bytes = STALLED_RECEIVE_BUFFER;
        setsockopt(connection->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    }
    connection->state = STATE_CONNECTING;
    connections_opening++;
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)options.port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS) {
        connection_close(connection, strerror(errno));
        return;
    }
    connection->watched = EPOLLOUT;
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = connection};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, connection->fd, &event);
}

struct connection *connections_create(int count) {
    connections = calloc((size_t)count, sizeof *connections);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!connections || epoll_fd < 0) {
        perror("connections");
        exit(1);
    }
    return connections;
}

void connections_open(int count, double limit_s) {
    uint64_t end = now_us() + (uint64_t)(limit_s * 1e6);
    while (now_us() < end && (next_to_open < count || connections_opening)) {
        while (next_to_open < count && connections_opening < options.concurrency)
            connection_open(&connections[next_to_open++]);
        network_poll(5);
    }
}
