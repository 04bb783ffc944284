/* Rostrum's rooms. */
#include "rtm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void join(struct connection *connection) {
    char text[160];
    int length = snprintf(text, sizeof text,
                          "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"room.join\",\"params\":{\"room\":\"%s-r%d\"}}",
                          RTM_ENTER_ID, options.run, connection->room);
    websocket_send_text(connection, text, (size_t)length);
}

static void enter(struct connection *connection, const char *text, const char *end) {
    if (connection->state == STATE_JOINING) {
        if (rtm_entered(connection, text, end, RTM_ENTER_ID)) connection_ready(connection);
    } else if (rtm_entered(connection, text, end, RTM_LOGIN_ID)) {
        if (connection->room < 0) {
            connection_ready(connection);
        } else {
            connection->state = STATE_JOINING;
            join(connection);
        }
    }
}

static void read_answers(struct connection *connection, const char *text, const char *end, uint64_t now) {
    static const char sent[] = "\"result\":{\"seq\":";
    static const char failed[] = "\"error\":{";
    for (const char *at = text; (at = rtm_find(at, end, sent)); at += strlen(sent))
        load_acknowledged(connection, connection->sent_us, now);
    for (const char *at = text; (at = rtm_find(at, end, failed)); at += strlen(failed))
        load_refused(connection, at, (size_t)(end - at));
}

static void check_order(struct connection *connection, const char *text, const char *end) {
    static const char stream[] = "\"stream\":\"room:";
    static const char seq[] = "\"seq\":";
    for (const char *at = text; (at = rtm_find(at, end, stream)); at += strlen(stream)) {
        const char *number = rtm_find(at, end, seq);
        if (number) figures_sequence(connection, strtoull(number + strlen(seq), NULL, 10));
    }
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
    rtm_acknowledge_bytes(connection);
}

static void send_message(struct connection *connection, const char *message, size_t length) {
    static char text[66000];
    char message_id[RTM_MESSAGE_ID_BYTES];
    rtm_write_message_id(message_id);
    int size = snprintf(text, sizeof text,
                        "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"room.send\",\"params\":"
                        "{\"room\":\"%s-r%d\",\"message_id\":\"%s\",\"message\":%.*s}}",
                        (unsigned long long)connection->next_id++, options.run, connection->room, message_id,
                        (int)length, message);
    websocket_send_text(connection, text, (size_t)size);
}

const struct protocol protocol_rtm = {
    .name = "rtm",
    .message_head = "{\"type\":\"TEXT\",\"text\":\"",
    .message_tail = "\"}",
    .write_path = rtm_write_path,
    .opened = rtm_opened,
    .received = received,
    .send_message = send_message,
    .heartbeat = rtm_heartbeat,
    .goodbye = rtm_goodbye,
};
