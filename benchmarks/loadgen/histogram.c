/* Latencies in buckets whose width grows with the value: 64 to each power of two. */
#include "loadgen.h"

#include <string.h>

/* Values below 64 have a bucket each; above, the six bits after the leading one choose within the octave. */
static int bucket_of(uint64_t value) {
    if (value < HISTOGRAM_BUCKETS_PER_OCTAVE) return (int)value;
    int exponent = 63 - __builtin_clzll(value);
    int within = (int)(value >> (exponent - 6)) & (HISTOGRAM_BUCKETS_PER_OCTAVE - 1);
    int bucket = (exponent - 5) * HISTOGRAM_BUCKETS_PER_OCTAVE + within;
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static double bucket_value(int bucket) {
    if (bucket < HISTOGRAM_BUCKETS_PER_OCTAVE) return bucket;
    int exponent = bucket / HISTOGRAM_BUCKETS_PER_OCTAVE + 5;
    uint64_t within = (uint64_t)(bucket % HISTOGRAM_BUCKETS_PER_OCTAVE);
    return (double)((UINT64_C(1) << exponent) + (within << (exponent - 6)));
}

void histogram_reset(struct histogram *histogram) {
    memset(histogram, 0, sizeof *histogram);
}

void histogram_add(struct histogram *histogram, uint64_t value) {
    histogram->count++;
    histogram->buckets[bucket_of(value)]++;
    if (value > histogram->max) histogram->max = value;
}

double histogram_percentile(const struct histogram *histogram, double p) {
    uint64_t rank = (uint64_t)((double)histogram->count * p);
    uint64_t seen = 0;
    for (int bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->buckets[bucket];
        if (seen > rank) return bucket_value(bucket);
    }
    return (double)histogram->max;
}
