#pragma once
// scratch, replaced by the movement branch
#include <cstdint>
#include <span>
#include <string_view>
namespace gradloom::inline v0 {
inline uint64_t stream_of_name(std::string_view s) { uint64_t h=14695981039346656037ULL; for(char c: s) h=(h^(unsigned char)c)*1099511628211ULL; return h; }
inline void philox_uniform(uint64_t seed, uint64_t stream, int64_t, int64_t, std::span<double> out) { uint64_t x=seed*977+stream; for(double& o: out){ x=x*6364136223846793005ULL+1442695040888963407ULL; o=(double)(x>>11)/9007199254740992.0; } }
inline void philox_normal(uint64_t seed, uint64_t stream, int64_t a, int64_t b, std::span<double> out) { philox_uniform(seed,stream,a,b,out); }
}
