/* Stub: see stubs/README.md. */
#pragma once
