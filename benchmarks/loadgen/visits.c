/*
 * Presence: visitors log in and out again, one after the other, while all others watch. A change is under way from the
 * moment when the request for it (login, logout) is sent until everybody who watches was told.
 */
#include "loadgen.h"

static void log_out(struct connection *visitor) {
    if (visitor->state != STATE_READY) return; /* refused: what is missing shows it */
    visitor->leaving = true;
    visitor->sent_us = now_us();
    options.protocol->goodbye(visitor);
}

static void change(struct connection *visitor, void (*act)(struct connection *)) {
    uint64_t began_us = now_us();
    uint64_t next_us = began_us + (uint64_t)(1e6 / options.rate);
    totals.sent++;
    totals.expected += (uint64_t)(options.members - options.visitors);
    act(visitor);
    for (uint64_t now; (now = now_us()) < next_us || (figures_deliveries_missing() && now < began_us + STUCK_US);)
        network_poll(1);
}

void visits_run(void) {
    figures_begin();
    for (int i = options.members - options.visitors; i < options.members; i++) {
        change(&connections[i], connection_open);
        change(&connections[i], log_out);
    }
    figures_end(true);
}
