/*
 * What Rostrum's three protocols have in common: JSON-RPC 2.0, where a text is one message or an array of several.
 * The server writes compact JSON with its members in a fixed order, so looking for strings is enough, and fast
 * enough to keep up with it.
 */
#ifndef RTM_H
#define RTM_H

#include "loadgen.h"

enum { RTM_LOGIN_ID = 1, RTM_ENTER_ID = 2, RTM_FIRST_FREE_ID = 3, RTM_UID_BYTES = 64, RTM_MESSAGE_ID_BYTES = 40,
       RTM_TOKEN_BYTES = 4096 };

const char *rtm_find(const char *text, const char *end, const char *wanted);
bool rtm_begins(const char *text, const char *end, const char *wanted);
void rtm_write_uid(int index, char out[RTM_UID_BYTES]);
void rtm_write_message_id(char out[RTM_MESSAGE_ID_BYTES]);

void rtm_write_path(const struct connection *connection, char *out, size_t size);
/* Logs in. */
void rtm_opened(struct connection *connection);
/* Of a connection that is not ready: whether request `id` is answered. One that is refused is closed. */
bool rtm_entered(struct connection *connection, const char *text, const char *end, int id);
/* Looks for the next "id" after `text`: returns what follows its number, NULL if there is none. */
const char *rtm_next_id(const char *text, const char *end, uint64_t *id);
/* To be called after each text: tells the server how many bytes have arrived, each time that 256 KiB more have. */
void rtm_acknowledge_bytes(struct connection *connection);
void rtm_heartbeat(struct connection *connection);
void rtm_goodbye(struct connection *connection);

#endif
