/*
 * The figures: what was counted, and how long it took.
 *
 * Everything is counted all the time; the measurement is the difference between its two ends.
 */
#include "loadgen.h"

#include <stdio.h>
#include <sys/resource.h>

#define DRAIN_S 3.0 /* how long to wait for the last deliveries and acknowledgements */

struct totals totals;

static struct histogram delivery_latency, ack_latency;
static uint64_t repeats_or_backward, skips; /* --check */
static bool recording;                      /* latencies */
static struct {
    struct totals before;
    uint64_t began_us;
    double began_cpu_s;
} measurement;

void figures_delivery(uint64_t sent_us, uint64_t now) {
    totals.delivered++;
    if (recording) histogram_add(&delivery_latency, now > sent_us ? now - sent_us : 0);
}

void figures_acknowledgement(uint64_t sent_us, uint64_t now) {
    totals.acknowledged++;
    if (recording) histogram_add(&ack_latency, now - sent_us);
}

void figures_sequence(struct connection *connection, uint64_t seq) {
    if (seq <= connection->last_seq)
        repeats_or_backward++;
    else if (connection->last_seq && seq != connection->last_seq + 1)
        skips++;
    connection->last_seq = seq;
}

static double cpu_s(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

void figures_begin(void) {
    histogram_reset(&delivery_latency);
    histogram_reset(&ack_latency);
    measurement.before = totals;
    measurement.began_us = now_us();
    measurement.began_cpu_s = cpu_s();
    recording = true;
    printf("{\"event\":\"measuring\"}\n");
}

bool figures_deliveries_missing(void) {
    return totals.delivered < totals.expected;
}

static bool acknowledgements_missing(void) {
    return options.protocol->acks_are_of_a_message && totals.acknowledged + totals.refused < totals.sent;
}

static void drain(void) {
    uint64_t end = now_us() + (uint64_t)(DRAIN_S * 1e6);
    while ((figures_deliveries_missing() || acknowledgements_missing()) && now_us() < end) network_poll(5);
}

static void print_result(const struct totals *before, const struct totals *after, double elapsed_s, double cpu) {
    uint64_t delivered = after->delivered - before->delivered;
    uint64_t missing = totals.expected > totals.delivered ? totals.expected - totals.delivered : 0;
    printf("{\"event\":\"result\",\"seconds\":%.3f,\"messages\":%llu,\"deliveries\":%llu,"
           "\"messages_per_s\":%.1f,\"deliveries_per_s\":%.1f,\"acks_per_s\":%.1f,",
           elapsed_s, (unsigned long long)(after->sent - before->sent), (unsigned long long)delivered,
           (double)(after->sent - before->sent) / elapsed_s, (double)delivered / elapsed_s,
           (double)(after->acknowledged - before->acknowledged) / elapsed_s);
    printf("\"p50_ms\":%.3f,\"p90_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,",
           histogram_percentile(&delivery_latency, 0.50) / 1e3, histogram_percentile(&delivery_latency, 0.90) / 1e3,
           histogram_percentile(&delivery_latency, 0.99) / 1e3, (double)delivery_latency.max / 1e3);
    if (options.mode == LOAD_ACK || options.protocol->acks_are_of_a_message)
        printf("\"ack_p50_ms\":%.3f,\"ack_p99_ms\":%.3f,", histogram_percentile(&ack_latency, 0.50) / 1e3,
               histogram_percentile(&ack_latency, 0.99) / 1e3);
    printf("\"frames_per_delivery\":%.4f,\"client_cpu\":%.3f,\"refused\":%llu,\"missing\":%llu",
           delivered ? (double)(after->frames - before->frames) / (double)delivered : 0.0, cpu,
           (unsigned long long)totals.refused, (unsigned long long)missing);
    if (options.check)
        printf(",\"repeats_or_backward\":%llu,\"skips\":%llu", (unsigned long long)repeats_or_backward,
               (unsigned long long)skips);
    printf("}\n");
}

void figures_end(bool late_counts) {
    struct totals after = totals;
    double elapsed_s = (double)(now_us() - measurement.began_us) / 1e6;
    double client_cpu = (cpu_s() - measurement.began_cpu_s) / elapsed_s;
    printf("{\"event\":\"measured\"}\n");
    recording = late_counts;
    drain();
    recording = false;
    print_result(&measurement.before, &after, elapsed_s, client_cpu);
}
