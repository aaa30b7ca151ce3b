// Counter-based random numbers: Philox4x32-10 of Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1,
// 2, 3" (2011). A number is a function of where it is used, not of what was drawn before, so any thread can compute any
// part of a tensor. This header draws a few numbers on the host; ops/random.hpp makes nodes that draw tensors.
#pragma once

#include <gradloom/graph/export.hpp>

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace gradloom::inline v0 {

/// Four random words for a counter and a key: ten rounds of two 32 x 32 -> 64 bit multiplications.
[[nodiscard]] constexpr std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter,
                                                           std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53} * counter[0], b = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(a)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

/// The Philox key of a stream under a seed: both 64-bit numbers, scrambled into one by the finaliser of SplitMix64
/// (Steele, Lea & Flood 2014), so that neighbouring seeds and streams have nothing in common.
[[nodiscard]] constexpr uint64_t philox_key(uint64_t seed, uint64_t stream) {
  const auto mix = [](uint64_t x) {
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
    return x ^ (x >> 31);
  };
  return mix(mix(seed + 0x9E3779B97F4A7C15) ^ stream);
}

/// FNV-1a of the name: the stream of a thing that is known by its name, such as a parameter.
[[nodiscard]] constexpr uint64_t stream_of_name(std::string_view name) {
  uint64_t hash = 0xCBF29CE484222325;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return hash;
}

/// Elements begin, begin + 1, ... of the f64 tensor that random_uniform in [0, 1) draws for that seed, stream and step.
/// The same on every machine.
GRADLOOM_API void philox_uniform(uint64_t seed, uint64_t stream, int64_t step, int64_t begin, std::span<double> out);
/// The same for random_normal of mean 0 and standard deviation 1, as the baseline instruction set computes it. The same
/// on every machine.
GRADLOOM_API void philox_normal(uint64_t seed, uint64_t stream, int64_t step, int64_t begin, std::span<double> out);

}  // namespace gradloom::inline v0
