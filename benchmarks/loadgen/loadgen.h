/*
 * A neutral load generator for chat over WebSocket: one thread, one epoll, any number of members.
 *
 * The modules, each using only those below it:
 *
 *   main.c        options, and the course of a run: connect, settle, load, say goodbye
 *   load.c        messages: when to send, what was delivered
 *   visits.c      presence: who comes and goes while others watch
 *   protocol_*.c  what is said inside the frames: Channels' chat tutorial, Socket.IO 4, Rostrum's rooms, peer
 *                 messages and presence
 *   rtm.c         what the last three have in common: session, heartbeats, byte acknowledgements
 *   tokens.c      the tokens to log in with
 *   figures.c     what was counted, and the result
 *   heartbeat.c   which connections have been silent for too long
 *   websocket.c   frames in and out
 *   network.c     sockets, epoll, output that did not fit into the socket
 *   histogram.c   latencies
 *
 * All times are microseconds of CLOCK_MONOTONIC: one process sends and receives, so no clocks need comparing.
 */
#ifndef LOADGEN_H
#define LOADGEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECOND_US UINT64_C(1000000)

/* ------------------------------------------------------------------ options */

enum load_mode {
    LOAD_IDLE,   /* log in (and join), then keep silent */
    LOAD_CLOSED, /* a fixed number of messages in flight in all */
    LOAD_OPEN,   /* a fixed number of messages a second, whatever comes back */
    LOAD_ACK,    /* each sender sends again as soon as a message of its own is acknowledged */
    LOAD_VISITS, /* visitors log in and out again, one after the other */
};

struct options {
    const struct protocol *protocol;
    enum load_mode mode;
    int port;
    int members;        /* connections in all, spread evenly over the rooms */
    int rooms;          /* 0: log in and join nothing */
    int senders;        /* of the members; the others only listen */
    int stalled;        /* of the members; joined, but never read after that */
    int concurrency;    /* connections being opened at one time */
    int visitors;       /* of the members, the last; they are not there before the load */
    int window;         /* LOAD_CLOSED: messages in flight in all; LOAD_ACK: of each sender */
    double rate;        /* LOAD_OPEN: messages a second; LOAD_VISITS: logins and logouts a second */
    double warmup_s;    /* load before the measurement */
    double seconds;     /* length of the measurement */
    double linger_s;    /* silence after it, with all members still there */
    int message_bytes;  /* size of the message object that the application sends, JSON included */
    bool check;         /* verify that no sequence number of a room or inbox repeats, goes back or skips */
    const char *app;    /* Rostrum: App ID */
    const char *path;   /* Channels: what precedes the room's name in the path */
    const char *tokens; /* Rostrum: file of tokens, NULL for logins without */
    const char *run;    /* goes into user, room and message ids, so that no two runs share any */
};

extern struct options options;

/* ------------------------------------------------------------------ connections */

enum connection_state {
    STATE_NEW,
    STATE_CONNECTING,  /* TCP */
    STATE_HANDSHAKING, /* HTTP upgrade */
    STATE_LOGGING_IN,
    STATE_JOINING,
    STATE_READY,
    STATE_CLOSED,
};

struct buffer {
    uint8_t *data;
    size_t length;
    size_t capacity;
};

struct connection {
    int fd;
    int index;  /* its number: part of its user id and of each message it sends */
    int room;   /* number of its room, -1 for none */
    enum connection_state state;
    bool sends;
    bool stalled;
    bool visits;
    bool leaving; /* a visitor that has said goodbye */
    uint32_t watched; /* the epoll events asked for */

    struct buffer unread;   /* the beginning of a frame whose rest has not arrived */
    struct buffer fragment; /* a fragmented message's frames so far */
    struct buffer unsent;   /* what the socket did not take */

    uint64_t next_id;       /* of its next request */
    uint64_t sent_us;       /* when its last message, or a visitor's login or logout, went out */
    uint64_t last_seq;      /* of its room, inbox or visitors, as pushed to it (--check) */
    uint64_t payload_bytes; /* received in text frames: what byte acknowledgements count */
    uint64_t told_bytes;    /* of those, how many the server has been told of */

    uint64_t last_write_us;
    struct connection *next_in_slot; /* heartbeat.c */
};

/* ------------------------------------------------------------------ protocols */

struct protocol {
    const char *name;
    const char *message_head; /* a message object is head, text, tail; the text holds nothing to escape */
    const char *message_tail;
    /* Writes the path of the WebSocket's URL. */
    void (*write_path)(const struct connection *connection, char *out, size_t size);
    /* The WebSocket is open: log in. */
    void (*opened)(struct connection *connection);
    /* A text message has arrived. */
    void (*received)(struct connection *connection, const char *text, size_t length, uint64_t now_us);
    /* Send a message object to the connection's room. */
    void (*send_message)(struct connection *connection, const char *message, size_t length);
    /* Silent for HEARTBEAT_US: say something. NULL where the client has no such duty. */
    void (*heartbeat)(struct connection *connection);
    /* The run is over; the server closes in answer. */
    void (*goodbye)(struct connection *connection);
    /* Its acknowledgements say which message they are of, so a sender may have several unacknowledged. */
    bool acks_are_of_a_message;
};

extern const struct protocol protocol_channels;
extern const struct protocol protocol_socketio;
extern const struct protocol protocol_rtm;
extern const struct protocol protocol_rtm_peers;
extern const struct protocol protocol_rtm_presence;

/* ------------------------------------------------------------------ network.c */

uint64_t now_us(void);
struct connection *connections_create(int count);
/* Opens the first `count` connections, at most options.concurrency at a time, until all are ready or closed, or
 * `limit_s` is over. */
void connections_open(int count, double limit_s);
/* Opens one that connections_open() has not. */
void connection_open(struct connection *connection);
/* Waits at most `timeout_ms` for something to happen, then handles all that has, due heartbeats included. */
void network_poll(int timeout_ms);
void network_poll_for(double seconds);
void connection_write(struct connection *connection, const void *data, size_t length);
/* From now on the connection's socket is never read. */
void connection_stall(struct connection *connection);
void connection_close(struct connection *connection, const char *why);
/* Called by a protocol when login (and join) are through. */
void connection_ready(struct connection *connection);
bool connection_is_open(const struct connection *connection);

extern struct connection *connections;
extern int connections_opening; /* started, neither ready nor closed */
extern int connections_ready_count;
extern int connections_closed_count;
extern bool connections_may_close; /* the run is over: a close is no failure */

void buffer_append(struct buffer *buffer, const void *data, size_t length);

/* ------------------------------------------------------------------ websocket.c */

void websocket_handshake(struct connection *connection);
/* Takes what is whole of `length` bytes; returns how many it took. */
size_t websocket_receive(struct connection *connection, const uint8_t *data, size_t length, uint64_t now);
void websocket_send_text(struct connection *connection, const char *text, size_t length);
void websocket_send_close(struct connection *connection);

/* ------------------------------------------------------------------ heartbeat.c */

#define HEARTBEAT_US (3 * SECOND_US)
/* The first heartbeat falls anywhere in the first three seconds, as with clients that came at different times. */
void heartbeat_start(struct connection *connection, uint64_t now);
void heartbeat_tick(uint64_t now);

/* ------------------------------------------------------------------ tokens.c */

/* Reads options.tokens: a line "<uid> <token>" for each member, in their order. Exits when it is something else. */
void tokens_read(void);
/* NULL without tokens. */
const char *token_of(const struct connection *connection);

/* ------------------------------------------------------------------ histogram.c, figures.c */

enum {
    HISTOGRAM_BUCKETS_PER_OCTAVE = 64, /* 1.6 % resolution */
    HISTOGRAM_BUCKETS = 64 * 60,
};

struct histogram {
    uint64_t count;
    uint64_t max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_reset(struct histogram *histogram);
void histogram_add(struct histogram *histogram, uint64_t value);
/* The value below which the fraction `p` of what was added lies. */
double histogram_percentile(const struct histogram *histogram, double p);

struct totals {
    uint64_t sent;
    uint64_t expected; /* deliveries that the messages sent should make */
    uint64_t delivered;
    uint64_t acknowledged;
    uint64_t refused;
    uint64_t frames;
};

extern struct totals totals;

void figures_delivery(uint64_t sent_us, uint64_t now);
void figures_acknowledgement(uint64_t sent_us, uint64_t now);
/* A push with sequence number `seq` of the connection's room or inbox (--check). */
void figures_sequence(struct connection *connection, uint64_t seq);
bool figures_deliveries_missing(void);
void figures_begin(void);
/* Waits for what is under way, and prints the result. `late_counts`: latencies of what arrives meanwhile count. */
void figures_end(bool late_counts);

/* ------------------------------------------------------------------ load.c, visits.c */

#define STUCK_US SECOND_US /* no delivery for so long: what is missing will not come */

void load_prepare(void);
void load_run(void);
/* What protocols report. `sent_us`: when the message went out. */
void load_acknowledged(struct connection *connection, uint64_t sent_us, uint64_t now);
void load_refused(struct connection *connection, const char *text, size_t length);
/* Counts the messages inside a received text, however many were joined into it. */
void load_deliveries(struct connection *connection, const char *text, size_t length, uint64_t now);
void load_reader_gone(const struct connection *connection);

enum { MAX_VISITORS = 100 }; /* so many uids fit into a request */
void visits_run(void);

#endif
