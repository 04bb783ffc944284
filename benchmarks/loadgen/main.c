/* Options, and the course of a run. What it prints on standard output is one JSON object a line. */
#include "loadgen.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define CONNECT_LIMIT_S 60.0
#define SETTLE_S 0.5  /* for the notices that the last members' joining brings */
#define GOODBYE_S 3.0

enum exit_status { EXIT_USAGE = 2, EXIT_NOT_CONNECTED = 3 };

struct options options = {
    .mode = LOAD_CLOSED,
    .members = 100,
    .rooms = 1,
    .senders = 1,
    .concurrency = 50,
    .rate = 10,
    .warmup_s = 1,
    .seconds = 3,
    .message_bytes = 115,
    .app = "0123456789abcdef0123456789abcdef",
    .path = "/ws/chat/",
    .run = "run",
};

static void usage(void) {
    fputs("usage: loadgen --protocol channels|socketio|rtm|rtm-peers|rtm-presence --port PORT\n"
          "               [--mode closed|open|ack|idle|visits]\n"
          "  --members N        connections, spread over the rooms (100)\n"
          "  --rooms N          0: log in and join nothing (1); rtm-peers: pairs, half as many as members\n"
          "  --senders N        of the members (1)\n"
          "  --stalled N        of the members; they join, then never read (0)\n"
          "  --visitors N       visits: of the members; they come during the load, and go (0)\n"
          "  --window N         closed: messages in flight (16); ack: of each sender (1; more: rtm-peers only)\n"
          "  --rate N           open: messages a second; visits: logins and logouts a second (10)\n"
          "  --warmup S --seconds S   load before, and length of, the measurement (1, 3)\n"
          "  --linger S         stay for so long after the measurement, and send nothing (0)\n"
          "  --message-bytes N  size of the message object (115)\n"
          "  --concurrency N    connections being opened at one time (50)\n"
          "  --tokens FILE      rtm: a line \"uid token\" for each member, in order; its uid is RUN-u0, RUN-u1, ...\n"
          "  --check            rtm: verify sequence numbers\n"
          "  --app ID           rtm: App ID\n"
          "  --path PATH        channels: path before the room's name (/ws/chat/)\n"
          "  --run NAME         part of all ids; letters and digits; another for each run\n",
          stderr);
    exit(EXIT_USAGE);
}

static const struct protocol *protocol_named(const char *name) {
    static const struct protocol *const all[] = {&protocol_channels, &protocol_socketio, &protocol_rtm,
                                                &protocol_rtm_peers, &protocol_rtm_presence};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!strcmp(all[i]->name, name)) return all[i];
    return NULL;
}

static enum load_mode mode_named(const char *name) {
    if (!strcmp(name, "idle")) return LOAD_IDLE;
    if (!strcmp(name, "closed")) return LOAD_CLOSED;
    if (!strcmp(name, "open")) return LOAD_OPEN;
    if (!strcmp(name, "ack")) return LOAD_ACK;
    if (!strcmp(name, "visits")) return LOAD_VISITS;
    usage();
    return LOAD_IDLE;
}

static bool load_makes_sense(void) {
    bool watches = options.mode == LOAD_VISITS;
    if (watches != (options.protocol == &protocol_rtm_presence)) return false;
    if (watches)
        return options.visitors > 0 && options.visitors < options.members && options.visitors <= MAX_VISITORS &&
               !options.stalled && !options.rooms;
    if (options.visitors) return false;
    if (options.protocol == &protocol_rtm_peers && options.members != 2 * options.rooms) return false;
    if (options.mode == LOAD_IDLE) return true;
    if (options.mode == LOAD_CLOSED && options.rooms != 1) return false; /* its window is counted in a room's members */
    if (options.mode == LOAD_ACK && options.window > 1 && !options.protocol->acks_are_of_a_message) return false;
    return options.rooms > 0 && options.senders > 0 && options.senders + options.stalled <= options.members;
}

static void read_options(int argc, char **argv) {
    enum { PROTOCOL = 1, PORT, MODE, MEMBERS, ROOMS, SENDERS, STALLED, VISITORS, WINDOW, RATE, WARMUP,
           SECONDS, LINGER, MESSAGE_BYTES, CONCURRENCY, CHECK, APP, PATH, TOKENS, RUN };
    static const struct option known[] = {
        {"protocol", required_argument, NULL, PROTOCOL},
        {"port", required_argument, NULL, PORT},
        {"mode", required_argument, NULL, MODE},
        {"members", required_argument, NULL, MEMBERS},
        {"rooms", required_argument, NULL, ROOMS},
        {"senders", required_argument, NULL, SENDERS},
        {"stalled", required_argument, NULL, STALLED},
        {"visitors", required_argument, NULL, VISITORS},
        {"window", required_argument, NULL, WINDOW},
        {"rate", required_argument, NULL, RATE},
        {"warmup", required_argument, NULL, WARMUP},
        {"seconds", required_argument, NULL, SECONDS},
        {"linger", required_argument, NULL, LINGER},
        {"message-bytes", required_argument, NULL, MESSAGE_BYTES},
        {"concurrency", required_argument, NULL, CONCURRENCY},
        {"check", no_argument, NULL, CHECK},
        {"app", required_argument, NULL, APP},
        {"path", required_argument, NULL, PATH},
        {"tokens", required_argument, NULL, TOKENS},
        {"run", required_argument, NULL, RUN},
        {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (option) {
        case PROTOCOL: options.protocol = protocol_named(optarg); break;
        case PORT: options.port = atoi(optarg); break;
        case MODE: options.mode = mode_named(optarg); break;
        case MEMBERS: options.members = atoi(optarg); break;
        case ROOMS: options.rooms = atoi(optarg); break;
        case SENDERS: options.senders = atoi(optarg); break;
        case STALLED: options.stalled = atoi(optarg); break;
        case VISITORS: options.visitors = atoi(optarg); break;
        case WINDOW: options.window = atoi(optarg); break;
        case RATE: options.rate = atof(optarg); break;
        case WARMUP: options.warmup_s = atof(optarg); break;
        case SECONDS: options.seconds = atof(optarg); break;
        case LINGER: options.linger_s = atof(optarg); break;
        case MESSAGE_BYTES: options.message_bytes = atoi(optarg); break;
        case CONCURRENCY: options.concurrency = atoi(optarg); break;
        case CHECK: options.check = true; break;
        case APP: options.app = optarg; break;
        case PATH: options.path = optarg; break;
        case TOKENS: options.tokens = optarg; break;
        case RUN: options.run = optarg; break;
        default: usage();
        }
    }
    if (!options.window) options.window = options.mode == LOAD_CLOSED ? 16 : 1;
    if (options.mode == LOAD_IDLE || options.mode == LOAD_VISITS) options.senders = 0;
    if (!options.protocol || options.port < 1 || options.port > 65535 || optind != argc || options.members < 1 ||
        options.rooms < 0 || options.rooms > options.members || options.concurrency < 1 || options.stalled < 0 ||
        options.message_bytes < 64 || options.message_bytes > 60000 || options.rate <= 0 || options.window < 1 ||
        options.visitors < 0 || strlen(options.run) > 24 || strlen(options.path) > 128 || strlen(options.app) > 64 ||
        !load_makes_sense())
        usage();
}

static void raise_file_limit(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void connect_members(void) {
    int count = options.members - options.visitors;
    uint64_t began_us = now_us();
    connections_open(count, CONNECT_LIMIT_S);
    double seconds = (double)(now_us() - began_us) / 1e6;
    printf("{\"event\":\"connected\",\"connections\":%d,\"failed\":%d,\"seconds\":%.3f,\"logins_per_s\":%.1f}\n",
           connections_ready_count, count - connections_ready_count, seconds,
           connections_ready_count / seconds);
    if (connections_ready_count < count) exit(EXIT_NOT_CONNECTED);
}

static void linger(void) {
    if (options.linger_s <= 0) return;
    printf("{\"event\":\"lingering\"}\n");
    network_poll_for(options.linger_s);
    printf("{\"event\":\"lingered\"}\n");
}

static void say_goodbye(void) {
    connections_may_close = true;
    for (int i = 0; i < options.members; i++)
        if (connection_is_open(&connections[i])) options.protocol->goodbye(&connections[i]);
    uint64_t end = now_us() + (uint64_t)(GOODBYE_S * 1e6);
    while (connections_closed_count < options.members - options.stalled && now_us() < end) network_poll(5);
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    read_options(argc, argv);
    if (options.tokens) tokens_read();
    raise_file_limit();
    srand((unsigned)now_us() ^ (unsigned)getpid());

    connections_create(options.members);
    load_prepare();
    connect_members();
    for (int i = 0; i < options.stalled; i++) connection_stall(&connections[i]);
    network_poll_for(SETTLE_S);

    load_run();
    linger();

    int lost = 0, stalled_cut_off = 0;
    for (int i = 0; i < options.members; i++) {
        if (connections[i].state != STATE_CLOSED || connections[i].leaving) continue;
        if (connections[i].stalled)
            stalled_cut_off++;
        else
            lost++;
    }
    say_goodbye();
    printf("{\"event\":\"done\",\"connections_lost\":%d,\"stalled_cut_off\":%d}\n", lost, stalled_cut_off);
    return 0;
}
