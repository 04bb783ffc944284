/* The client's half of RFC 6455, without extensions. */
#include "loadgen.h"

#include <stdio.h>
#include <string.h>

enum opcode {
    OP_CONTINUATION = 0,
    OP_TEXT = 1,
    OP_BINARY = 2,
    OP_CLOSE = 8,
    OP_PING = 9,
    OP_PONG = 10,
};

enum { FIN = 0x80, MASKED = 0x80, MAX_CONTROL_BYTES = 125 };

void websocket_handshake(struct connection *connection) {
    char path[256];
    char request[1024];
    options.protocol->write_path(connection, path, sizeof path);
    /* The key is the sample of RFC 6455: nothing here depends on it being fresh. */
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\n"
                          "Host: 127.0.0.1:%d\r\n"
                          "Origin: http://127.0.0.1:%d\r\n"
                          "Upgrade: websocket\r\n"
                          "Connection: Upgrade\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                          "Sec-WebSocket-Version: 13\r\n"
                          "\r\n",
                          path, options.port, options.port);
    connection_write(connection, request, (size_t)length);
}

static void send_frame(struct connection *connection, enum opcode opcode, const void *payload, size_t length) {
    static uint8_t frame[70000];
    size_t size = 0;
    if (length > 65535) {
        connection_close(connection, "message too long to send");
        return;
    }
    frame[size++] = (uint8_t)(FIN | opcode);
    if (length <= MAX_CONTROL_BYTES) {
        frame[size++] = (uint8_t)(MASKED | length);
    } else {
        frame[size++] = MASKED | 126;
        frame[size++] = (uint8_t)(length >> 8);
        frame[size++] = (uint8_t)length;
    }
    /* A key of zeros leaves the payload as it is: the server's work is the same, ours is none. */
    memset(frame + size, 0, 4);
    size += 4;
    memcpy(frame + size, payload, length);
    connection_write(connection, frame, size + length);
}

void websocket_send_text(struct connection *connection, const char *text, size_t length) {
    send_frame(connection, OP_TEXT, text, length);
}

void websocket_send_close(struct connection *connection) {
    static const uint8_t normal_closure[] = {1000 >> 8, 1000 & 0xff};
    send_frame(connection, OP_CLOSE, normal_closure, sizeof normal_closure);
}

static void receive_data(struct connection *connection, enum opcode opcode, bool final, const uint8_t *payload,
                         size_t length, uint64_t now) {
    connection->payload_bytes += length;
    if (final && opcode != OP_CONTINUATION) {
        totals.frames++;
        options.protocol->received(connection, (const char *)payload, length, now);
        return;
    }
    buffer_append(&connection->fragment, payload, length);
    if (!final) return;
    totals.frames++;
    options.protocol->received(connection, (const char *)connection->fragment.data, connection->fragment.length, now);
    connection->fragment.length = 0;
}

static void report_close(struct connection *connection, const uint8_t *payload, size_t length) {
    char why[160] = "closed by the server";
    if (length >= 2)
        snprintf(why, sizeof why, "closed by the server: %d %.*s", payload[0] << 8 | payload[1], (int)length - 2,
                 payload + 2);
    /* The closing handshake wants an answer, and then the server closes first. */
    send_frame(connection, OP_CLOSE, payload, length < 2 ? 0 : 2);
    connection_close(connection, why);
}

/* Returns the size of the response's head, 0 if it is not whole. */
static size_t receive_handshake(struct connection *connection, const uint8_t *data, size_t length) {
    static const char accepted[] = "HTTP/1.1 101";
    const uint8_t *end = memmem(data, length, "\r\n\r\n", 4);
    if (!end) return 0;
    if (length < strlen(accepted) || memcmp(data, accepted, strlen(accepted)) != 0) {
        char why[64];
        snprintf(why, sizeof why, "handshake refused: %.30s", (const char *)data);
        connection_close(connection, why);
        return length;
    }
    connection->state = STATE_LOGGING_IN;
    options.protocol->opened(connection);
    return (size_t)(end + 4 - data);
}

size_t websocket_receive(struct connection *connection, const uint8_t *data, size_t length, uint64_t now) {
    size_t taken = 0;
    if (connection->state == STATE_HANDSHAKING) {
        taken = receive_handshake(connection, data, length);
        if (!taken) return 0;
    }
    while (connection->state != STATE_CLOSED) {
        const uint8_t *frame = data + taken;
        size_t available = length - taken;
        size_t header = 2;
        if (available < header) break;
        enum opcode opcode = frame[0] & 0x0f;
        bool final = frame[0] & FIN;
        uint64_t payload_length = frame[1] & 0x7f;
        if (payload_length == 126) {
            header = 4;
            if (available < header) break;
            payload_length = (uint64_t)frame[2] << 8 | frame[3];
        } else if (payload_length == 127) {
            header = 10;
            if (available < header) break;
            payload_length = 0;
            for (int i = 2; i < 10; i++) payload_length = payload_length << 8 | frame[i];
        }
        if (available - header < payload_length) break;
        const uint8_t *payload = frame + header;
        if (opcode == OP_CLOSE)
            report_close(connection, payload, payload_length);
        else if (opcode == OP_PING)
            send_frame(connection, OP_PONG, payload, payload_length);
        else if (opcode != OP_PONG)
            receive_data(connection, opcode, final, payload, payload_length, now);
        taken += header + payload_length;
    }
    return taken;
}
