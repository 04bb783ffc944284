/*
 * The load: messages to rooms.
 *
 * What is counted, the same for every system: a delivery is a message that reached a member other than its
 * sender. Each message carries when it was sent and by whom, as "@ts=<microseconds>,<sender>;". The receiver
 * finds that mark again wherever the frame holds it, so messages joined into one frame all count, and a copy
 * that comes back to its own sender (Rostrum and the Channels tutorial send one, Socket.IO does not) does not.
 */
#include "loadgen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFUSALS_TO_PRINT 3

static bool answering_acks; /* LOAD_ACK: an acknowledgement brings the sender's next message */
static int *readers;        /* of each room: members that are to receive */

/* ------------------------------------------------------------------ what arrives */

static void send_from(struct connection *connection);

void load_acknowledged(struct connection *connection, uint64_t sent_us, uint64_t now) {
    figures_acknowledgement(sent_us, now);
    if (answering_acks) send_from(connection);
}

void load_refused(struct connection *connection, const char *text, size_t length) {
    if (totals.refused++ < REFUSALS_TO_PRINT)
        fprintf(stderr, "refused: %.*s\n", (int)(length < 200 ? length : 200), text);
    if (answering_acks) send_from(connection);
}

void load_reader_gone(const struct connection *connection) {
    if (connection->room >= 0 && !connection->stalled) readers[connection->room]--;
}

static const char *read_number(const char *at, const char *end, uint64_t *value) {
    *value = 0;
    for (; at < end && *at >= '0' && *at <= '9'; at++) *value = *value * 10 + (uint64_t)(*at - '0');
    return at;
}

void load_deliveries(struct connection *connection, const char *text, size_t length, uint64_t now) {
    static const char mark[] = {'@', 't', 's', '='};
    const char *end = text + length;
    /* Nothing else in a frame holds an at sign, so memchr finds a mark at memory speed. */
    for (const char *at = text; (at = memchr(at, '@', (size_t)(end - at)));) {
        if ((size_t)(end - at) < sizeof mark || memcmp(at, mark, sizeof mark) != 0) {
            at++;
            continue;
        }
        uint64_t sent_us, sender;
        at = read_number(at + sizeof mark, end, &sent_us);
        at = read_number(at + 1, end, &sender);
        if (sender == (uint64_t)connection->index) {
            if (options.protocol == &protocol_channels) load_acknowledged(connection, sent_us, now);
            continue;
        }
        figures_delivery(sent_us, now);
    }
}

/* ------------------------------------------------------------------ what is sent */

static void send_from(struct connection *connection) {
    static char message[65536];
    static const char filler[] = "hello everyone in this room, ";
    if (connection->state != STATE_READY) return;
    uint64_t now = now_us();
    const struct protocol *protocol = options.protocol;
    size_t length = (size_t)snprintf(message, sizeof message, "%s@ts=%llu,%d; ", protocol->message_head,
                                     (unsigned long long)now, connection->index);
    size_t tail = strlen(protocol->message_tail);
    for (size_t i = 0; length + tail < (size_t)options.message_bytes; i++)
        message[length++] = filler[i % (sizeof filler - 1)];
    memcpy(message + length, protocol->message_tail, tail);
    connection->sent_us = now;
    totals.sent++;
    totals.expected += (uint64_t)(readers[connection->room] - 1);
    protocol->send_message(connection, message, length + tail);
}

/* Senders take turns. */
static void send_next(void) {
    static int turn;
    for (int tried = 0; tried < options.senders; tried++) {
        int index = options.stalled + turn;
        turn = (turn + 1) % options.senders;
        if (connections[index].state == STATE_READY) {
            send_from(&connections[index]);
            return;
        }
    }
    fprintf(stderr, "no sender left\n");
    exit(4);
}

/* ------------------------------------------------------------------ the modes */

/* A loop's clock: the warm-up, then the measurement. */
struct schedule {
    uint64_t measure_us;
    uint64_t end_us;
    bool measuring;
};

static struct schedule schedule_from_now(void) {
    uint64_t measure_us = now_us() + (uint64_t)(options.warmup_s * 1e6);
    return (struct schedule){.measure_us = measure_us, .end_us = measure_us + (uint64_t)(options.seconds * 1e6)};
}

/* False when the time is over. */
static bool schedule_goes_on(struct schedule *schedule, uint64_t now) {
    if (!schedule->measuring && now >= schedule->measure_us) {
        schedule->measuring = true;
        figures_begin();
    }
    return now < schedule->end_us;
}

/* A message is in flight until it is acknowledged and all its deliveries have been made. */
static void run_closed(void) {
    struct schedule schedule = schedule_from_now();
    struct totals written_off = {0};
    uint64_t last_delivered = 0, last_progress_us = now_us();
    bool acknowledges = options.protocol != &protocol_channels;
    for (uint64_t now; schedule_goes_on(&schedule, now = now_us());) {
        for (;;) {
            int64_t per_message = readers[0] > 1 ? readers[0] - 1 : 1;
            int64_t undelivered = (int64_t)(totals.expected - totals.delivered - written_off.expected);
            int64_t unacknowledged = (int64_t)(totals.sent - totals.acknowledged - totals.refused - written_off.sent);
            if (undelivered > (options.window - 1) * per_message) break;
            if (acknowledges && unacknowledged >= options.window) break;
            send_next();
        }
        network_poll(5);
        if (totals.delivered != last_delivered) {
            last_delivered = totals.delivered;
            last_progress_us = now;
        } else if (now - last_progress_us > STUCK_US) { /* dropped by the server: Channels' layer may */
            written_off.expected = totals.expected - totals.delivered;
            written_off.sent = totals.sent - totals.acknowledged - totals.refused;
            last_progress_us = now;
        }
    }
    figures_end(false);
}

static void run_open(void) {
    struct schedule schedule = schedule_from_now();
    uint64_t interval_us = (uint64_t)(1e6 / options.rate);
    uint64_t due = now_us() + interval_us;
    for (uint64_t now; schedule_goes_on(&schedule, now = now_us());) {
        for (; due <= now; due += interval_us) send_next();
        /* Whole milliseconds are waited for in the kernel, the rest by asking again: on time to the microsecond. */
        now = now_us();
        network_poll(due > now ? (int)((due - now) / 1000) : 0);
    }
    figures_end(true);
}

static void run_ack(void) {
    struct schedule schedule = schedule_from_now();
    answering_acks = true;
    for (int i = 0; i < options.senders * options.window; i++) send_next();
    while (schedule_goes_on(&schedule, now_us())) network_poll(5);
    answering_acks = false;
    figures_end(false);
}

static void run_idle(void) {
    figures_begin();
    network_poll_for(options.seconds);
    figures_end(false);
}

void load_prepare(void) {
    readers = calloc((size_t)(options.rooms > 0 ? options.rooms : 1), sizeof *readers);
    for (int i = 0; i < options.members; i++) {
        struct connection *connection = &connections[i];
        connection->index = i;
        connection->room = options.rooms > 0 ? i % options.rooms : -1;
        connection->stalled = i < options.stalled;
        connection->visits = i >= options.members - options.visitors;
        connection->sends = i >= options.stalled && i < options.stalled + options.senders;
        if (connection->room >= 0 && !connection->stalled) readers[connection->room]++;
    }
}

void load_run(void) {
    switch (options.mode) {
    case LOAD_IDLE: run_idle(); break;
    case LOAD_CLOSED: run_closed(); break;
    case LOAD_OPEN: run_open(); break;
    case LOAD_ACK: run_ack(); break;
    case LOAD_VISITS: visits_run(); break;
    }
}
