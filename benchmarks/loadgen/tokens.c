/* Tokens, one for each member, from a file. */
#include "rtm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char **tokens; /* of each member */

static void refuse(const char *what, int line) {
    fprintf(stderr, "%s:%d: %s\n", options.tokens, line, what);
    exit(2);
}

void tokens_read(void) {
    FILE *file = fopen(options.tokens, "r");
    if (!file) {
        perror(options.tokens);
        exit(2);
    }
    tokens = calloc((size_t)options.members, sizeof *tokens);
    char *line = NULL;
    size_t capacity = 0;
    for (int i = 0; i < options.members; i++) {
        char uid[RTM_UID_BYTES];
        rtm_write_uid(i, uid);
        ssize_t length = getline(&line, &capacity, file);
        if (length < 0) refuse("there is no token for every member", i + 1);
        line[strcspn(line, "\n")] = '\0';
        char *token = strchr(line, ' ');
        if (!token || strlen(token + 1) > RTM_TOKEN_BYTES) refuse("not \"uid token\"", i + 1);
        *token++ = '\0';
        if (strcmp(line, uid) != 0) refuse("not the uid of this run's member", i + 1);
        tokens[i] = strdup(token);
    }
    free(line);
    fclose(file);
}

const char *token_of(const struct connection *connection) {
    return tokens ? tokens[connection->index] : NULL;
}
