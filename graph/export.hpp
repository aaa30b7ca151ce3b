// What the library exports (everything else is compiled with hidden visibility), and the version. Every name lives in
// the inline namespace v0, so that two versions linked into one program cannot be mixed up.
#pragma once

#define GRADLOOM_VERSION_MAJOR 0
#define GRADLOOM_VERSION_MINOR 1
#define GRADLOOM_VERSION_PATCH 0
#define GRADLOOM_VERSION "0.1.0"

#define GRADLOOM_API __attribute__((visibility("default")))
