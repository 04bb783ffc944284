/* Rostrum's session. A client has two duties: heartbeats, and acknowledging the bytes it has received. */
#include "rtm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ACK_EVERY_BYTES = 262144, LOGIN_BYTES = RTM_TOKEN_BYTES + 512 };

const char *rtm_find(const char *text, const char *end, const char *wanted) {
    return memmem(text, (size_t)(end - text), wanted, strlen(wanted));
}

bool rtm_begins(const char *text, const char *end, const char *wanted) {
    size_t length = strlen(wanted);
    return (size_t)(end - text) >= length && !memcmp(text, wanted, length);
}

const char *rtm_next_id(const char *text, const char *end, uint64_t *id) {
    static const char name[] = "\"id\":";
    const char *at = rtm_find(text, end, name);
    if (!at) return NULL;
    char *after;
    *id = strtoull(at + strlen(name), &after, 10);
    return after;
}

void rtm_write_uid(int index, char out[RTM_UID_BYTES]) {
    snprintf(out, RTM_UID_BYTES, "%s-u%d", options.run, index);
}

/*
 * A UUIDv7, as the browser SDK makes: the time in milliseconds first, so that ids made about the same time are
 * neighbours in the database's index, then a counter, then the run's own number.
 */
void rtm_write_message_id(char out[RTM_MESSAGE_ID_BYTES]) {
    static uint64_t counter, run_number;
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    uint64_t ms = (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
    if (!run_number) run_number = ((uint64_t)rand() << 31 | (uint64_t)rand()) & 0xffffffffffff;
    counter++;
    snprintf(out, RTM_MESSAGE_ID_BYTES, "%08llx-%04llx-7%03llx-%04llx-%012llx",
             (unsigned long long)(ms >> 16 & 0xffffffff), (unsigned long long)(ms & 0xffff),
             (unsigned long long)(counter >> 14 & 0xfff), (unsigned long long)(0x8000 | (counter & 0x3fff)),
             (unsigned long long)(run_number & 0xffffffffffff));
}

void rtm_write_path(const struct connection *connection, char *out, size_t size) {
    (void)connection;
    snprintf(out, size, "/rtm/ws");
}

void rtm_opened(struct connection *connection) {
    char text[LOGIN_BYTES], uid[RTM_UID_BYTES];
    const char *token = token_of(connection);
    const char *quote = token ? "\"" : "";
    rtm_write_uid(connection->index, uid);
    int length = snprintf(text, sizeof text,
                          "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"session.login\","
                          "\"params\":{\"app\":\"%s\",\"uid\":\"%s\",\"token\":%s%s%s}}",
                          RTM_LOGIN_ID, options.app, uid, quote, token ? token : "null", quote);
    connection->next_id = RTM_FIRST_FREE_ID;
    connection->sent_us = now_us();
    websocket_send_text(connection, text, (size_t)length);
}

bool rtm_entered(struct connection *connection, const char *text, const char *end, int id) {
    char answered[40];
    if (rtm_find(text, end, "\"error\":")) {
        char why[240];
        snprintf(why, sizeof why, "refused: %.*s", (int)(end - text), text);
        connection_close(connection, why);
        return false;
    }
    snprintf(answered, sizeof answered, "\"id\":%d,\"result\":", id);
    return rtm_find(text, end, answered);
}

void rtm_acknowledge_bytes(struct connection *connection) {
    if (connection->payload_bytes - connection->told_bytes < ACK_EVERY_BYTES) return;
    char text[96];
    int length = snprintf(text, sizeof text,
                          "{\"jsonrpc\":\"2.0\",\"method\":\"session.ack\",\"params\":{\"received\":%llu}}",
                          (unsigned long long)connection->payload_bytes);
    connection->told_bytes = connection->payload_bytes;
    websocket_send_text(connection, text, (size_t)length);
}

void rtm_heartbeat(struct connection *connection) {
    char text[128];
    int length = snprintf(text, sizeof text,
                          "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"session.ping\",\"params\":{\"received\":%llu}}",
                          (unsigned long long)connection->next_id++, (unsigned long long)connection->payload_bytes);
    connection->told_bytes = connection->payload_bytes;
    websocket_send_text(connection, text, (size_t)length);
}

void rtm_goodbye(struct connection *connection) {
    char text[96];
    int length = snprintf(text, sizeof text,
                          "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"session.logout\",\"params\":{}}",
                          (unsigned long long)connection->next_id++);
    websocket_send_text(connection, text, (size_t)length);
}
