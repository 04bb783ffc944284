/*
 * Rostrum: JSON-RPC 2.0, where a text is one message or an array of several. The server writes compact JSON with
 * its members in a fixed order, so looking for strings is enough, and fast enough to keep up with it.
 *
 * A client has two duties: a heartbeat after three seconds in which it sent nothing, and telling the server how
 * many bytes it has received, each time that 256 KiB more have come.
 */
#include "loadgen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LOGIN_ID = 1, JOIN_ID = 2, FIRST_FREE_ID = 3, ACK_EVERY_BYTES = 262144 };

static const char *find(const char *text, const char *end, const char *wanted) {
    return memmem(text, (size_t)(end - text), wanted, strlen(wanted));
}

static void write_path(const struct connection *connection, char *out, size_t size) {
    (void)connection;
    snprintf(out, size, "/rtm/ws");
}

static void opened(struct connection *connection) {
    char text[320];
    int length = snprintf(text, sizeof text,
                          "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"session.login\","
                          "\"params\":{\"app\":\"%s\",\"uid\":\"%s-u%d\",\"token\":null}}",
                          LOGIN_ID, options.app, options.run, connection->index);
    connection->next_id = FIRST_FREE_ID;
    websocket_send_text(connection, text, (size_t)length);
}

static void join(struct connection *connection) {
    char text[160];
    int length = snprintf(text, sizeof text,
                          "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"room.join\",\"params\":{\"room\":\"%s-r%d\"}}",
                          JOIN_ID, options.run, connection->room);
    websocket_send_text(connection, text, (size_t)length);
}

static void enter(struct connection *connection, const char *text, const char *end) {
    if (find(text, end, "\"error\":")) {
        char why[240];
        snprintf(why, sizeof why, "refused: %.*s", (int)(end - text), text);
        connection_close(connection, why);
    } else if (connection->state == STATE_LOGGING_IN && find(text, end, "\"id\":1,\"result\":")) {
        if (connection->room < 0) {
            connection_ready(connection);
        } else {
            connection->state = STATE_JOINING;
            join(connection);
        }
    } else if (connection->state == STATE_JOINING && find(text, end, "\"id\":2,\"result\":")) {
        connection_ready(connection);
    }
}

static void read_answers(struct connection *connection, const char *text, const char *end, uint64_t now) {
    static const char sent[] = "\"result\":{\"seq\":";
    static const char failed[] = "\"error\":{";
    for (const char *at = text; (at = find(at, end, sent)); at += strlen(sent)) load_acknowledged(connection, now);
    for (const char *at = text; (at = find(at, end, failed)); at += strlen(failed))
        load_refused(connection, at, (size_t)(end - at));
}

static void check_order(struct connection *connection, const char *text, const char *end) {
    static const char stream[] = "\"stream\":\"room:";
    static const char seq[] = "\"seq\":";
    for (const char *at = text; (at = find(at, end, stream)); at += strlen(stream)) {
        const char *number = find(at, end, seq);
        if (number) load_sequence(connection, strtoull(number + strlen(seq), NULL, 10));
    }
}

static void acknowledge_bytes(struct connection *connection) {
    char text[96];
    int length = snprintf(text, sizeof text,
                          "{\"jsonrpc\":\"2.0\",\"method\":\"session.ack\",\"params\":{\"received\":%llu}}",
                          (unsigned long long)connection->payload_bytes);
    connection->told_bytes = connection->payload_bytes;
    websocket_send_text(connection, text, (size_t)length);
}

static void received(struct connection *connection, const char *text, size_t length, uint64_t now) {
    const char *end = text + length;
    if (connection->state != STATE_READY) {
        enter(connection, text, end);
        return;
    }
    if (connection->sends) read_answers(connection, text, end, now);
    if (options.check) check_order(connection, text, end);
    load_deliveries(connection, text, length, now);
    if (connection->payload_bytes - connection->told_bytes >= ACK_EVERY_BYTES) acknowledge_bytes(connection);
}

/*
 * A UUIDv7, as the browser SDK makes: the time in milliseconds first, so that ids made about the same time are
 * neighbours in the database's index, then a counter, then the run's own number.
 */
static void write_message_id(char *out, size_t size) {
    static uint64_t counter, run_number;
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    uint64_t ms = (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
    if (!run_number) run_number = ((uint64_t)rand() << 31 | (uint64_t)rand()) & 0xffffffffffff;
    counter++;
    snprintf(out, size, "%08llx-%04llx-7%03llx-%04llx-%012llx", (unsigned long long)(ms >> 16 & 0xffffffff),
             (unsigned long long)(ms & 0xffff), (unsigned long long)(counter >> 14 & 0xfff),
             (unsigned long long)(0x8000 | (counter & 0x3fff)), (unsigned long long)(run_number & 0xffffffffffff));
}

static void send_message(struct connection *connection, const char *message, size_t length) {
    static char text[66000];
    char message_id[40];
    write_message_id(message_id, sizeof message_id);
    int size = snprintf(text, sizeof text,
                        "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"room.send\",\"params\":"
                        "{\"room\":\"%s-r%d\",\"message_id\":\"%s\",\"message\":%.*s}}",
                        (unsigned long long)connection->next_id++, options.run, connection->room, message_id,
                        (int)length, message);
    websocket_send_text(connection, text, (size_t)size);
}

static void heartbeat(struct connection *connection) {
    char text[128];
    int length = snprintf(text, sizeof text,
                          "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"session.ping\",\"params\":{\"received\":%llu}}",
                          (unsigned long long)connection->next_id++, (unsigned long long)connection->payload_bytes);
    connection->told_bytes = connection->payload_bytes;
    websocket_send_text(connection, text, (size_t)length);
}

static void goodbye(struct connection *connection) {
    char text[96];
    int length = snprintf(text, sizeof text,
                          "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"session.logout\",\"params\":{}}",
                          (unsigned long long)connection->next_id++);
    websocket_send_text(connection, text, (size_t)length);
}

const struct protocol protocol_rtm = {
    .name = "rtm",
    .message_head = "{\"type\":\"TEXT\",\"text\":\"",
    .message_tail = "\"}",
    .write_path = write_path,
    .opened = opened,
    .received = received,
    .send_message = send_message,
    .heartbeat = heartbeat,
    .goodbye = goodbye,
};
