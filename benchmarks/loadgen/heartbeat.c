/*
 * A timer wheel: a ring of slots of 50 ms, each with a list of the connections to look at then.
 *
 * A write only notes its time. When a connection's slot comes up and it has written meanwhile, it is put into
 * the slot where its silence will really be three seconds long. So a busy sender costs one look in three
 * seconds, not a timer moved per message.
 */
#include "loadgen.h"

#include <stdlib.h>

enum { SLOT_US = 50000, SLOTS = 64 };

_Static_assert((uint64_t)SLOT_US * (SLOTS - 1) > HEARTBEAT_US, "the wheel must be longer than the wait");

static struct connection *slots[SLOTS];
static uint64_t current; /* the slot being looked at, counted from time 0 */

static void place(struct connection *connection, uint64_t due) {
    uint64_t slot = due / SLOT_US;
    if (slot <= current) slot = current + 1;
    connection->next_in_slot = slots[slot % SLOTS];
    slots[slot % SLOTS] = connection;
}

void heartbeat_start(struct connection *connection, uint64_t now) {
    if (!options.protocol->heartbeat) return;
    if (!current) current = now / SLOT_US;
    place(connection, now + (uint64_t)rand() % HEARTBEAT_US);
    /* A random first look is to be a heartbeat, not a postponement. */
    connection->last_write_us = 0;
}

void heartbeat_tick(uint64_t now) {
    if (!current) return;
    while (current < now / SLOT_US) {
        current++;
        struct connection *connection = slots[current % SLOTS];
        slots[current % SLOTS] = NULL;
        while (connection) {
            struct connection *next = connection->next_in_slot;
            if (connection_is_open(connection)) {
                if (connection->last_write_us + HEARTBEAT_US <= now) options.protocol->heartbeat(connection);
                place(connection, connection->last_write_us + HEARTBEAT_US);
            }
            connection = next;
        }
    }
}
