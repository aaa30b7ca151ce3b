// Products (matmul, convolution, its gradient of the data) seen alike: as kernels that hand finished parts of their
// result, [rows, columns], to an epilogue. Regions that follow a product with more run it through this.
#pragma once

#include <gradloom/graph/node.hpp>
#include <gradloom/ops/gemm.hpp>
#include <gradloom/ops/kernel.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace gradloom::inline v0 {

/// Elements that a chunk reads of its operands, and has of the result. Chunks share operands; each part of one is
/// counted once.
struct ProductTraffic {
  int64_t read = 0, made = 0;
};

/// What a product works with.
template <class T>
struct ProductMemory {
  const T* a = nullptr;
  const T* b = nullptr;
  T* result = nullptr;  ///< with an epilogue: room for partial sums, if FusibleProduct::needs_partials
  void* scratch = nullptr;
  void* shared = nullptr;
  bool continues = false;  ///< KernelCall::continues
  const GemmEpilogue<T>* epilogue = nullptr;
};

/// Memory as a product wants it, aligned to cache lines.
class ProductBuffer {
 public:
  void allocate(size_t bytes) { lines_.resize((bytes + sizeof(Line) - 1) / sizeof(Line)); }
  [[nodiscard]] bool empty() const { return lines_.empty(); }
  [[nodiscard]] void* data() { return lines_.data(); }
  [[nodiscard]] const void* data() const { return lines_.data(); }

 private:
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  std::vector<Line> lines_;
};

/// One planned product. It runs in two steps, the first of which may have nothing to do.
template <class T>
class FusibleProduct {
 public:
  virtual ~FusibleProduct() = default;

  int64_t rows = 0, columns = 0;
  int64_t prepare_chunks = 0, chunks = 0;  // chunks = 0: the result has no elements
  size_t scratch_bytes = 0, shared_bytes = 0;
  bool needs_partials = false;
  double nanoseconds = 0;  // expected
  std::string remark;      // KernelPlan::remark

  /// Does once and for all what prepare() does with b, if that is a constant. What it makes is the product's own.
  virtual void bake(const T* /*b*/) {}
  /// Packs an operand, or sums parts, into shared memory.
  virtual void prepare(int64_t chunk, const ProductMemory<T>& memory) const = 0;
  /// Makes a part of the result: stores it, or hands it to the epilogue.
  virtual void finish(int64_t chunk, const ProductMemory<T>& memory) const = 0;
  [[nodiscard]] virtual ProductTraffic traffic(int64_t chunk) const = 0;
};

/// Can an epilogue follow this node, whose sizes are known?
[[nodiscard]] bool is_fusible_product(const Graph& graph, const Node& node);

/// Is its result one matrix, so that its columns can be summed along the way?
[[nodiscard]] bool has_one_matrix(const Graph& graph, const Node& node);

/// The elements of an input that is a constant, else null.
[[nodiscard]] const void* constant_input(const KernelRequest& request, int input);

/// The product of such a node. `b`: its second operand, if that is known.
template <class T>
[[nodiscard]] std::shared_ptr<const FusibleProduct<T>> fusible_product(const KernelRequest& request, const void* b);

/// A node that is nothing but this product.
template <class T>
[[nodiscard]] KernelPlan plan_product(const KernelRequest& request, std::shared_ptr<FusibleProduct<T>> product);

/// What fusible_product() returns, by op.
template <class T>
[[nodiscard]] std::shared_ptr<FusibleProduct<T>> matmul_product(const KernelRequest& request);
template <class T>
[[nodiscard]] std::shared_ptr<FusibleProduct<T>> packed_product(const KernelRequest& request);
template <class T>
[[nodiscard]] std::shared_ptr<FusibleProduct<T>> convolution_product(const KernelRequest& request);

}  // namespace gradloom::inline v0
