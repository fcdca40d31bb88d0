/*
 * The programs. What can be settled with a handful of loads is settled where the bytes pass (a
 * request equal to the last one, a response that begins its buffer, a body); the rest goes by tail
 * call to parse_request or parse_response, which take the call's bytes window by window and keep
 * their place in the connection, so that a head may be cut anywhere.
 *
 * A connection is known by its struct sock: dup, fork, descriptor passing, threads and descriptor
 * reuse make no difference.
 */
#include "abi.h"
#include "conn.h"
#include "maps.h"
#include "scratch.h"
#include "kernel_structs.h"
#include "syscalls.h"
#include "branchless.h"
#include "hooks.h"
#include "cursor.h"
#include "dispatch.h"
#include "classify.h"
#include "connections.h"
#include "request_line.h"
#include "http_head.h"
#include "path_template.h"
#include "requests.h"
#include "responses.h"
#include "lifecycle.h"
#include "counters.h"
#include "samples.h"
#include "wait.h"
#include "filter.h"
#include "deferred.h"
#include "close.h"
#include "pools.h"
