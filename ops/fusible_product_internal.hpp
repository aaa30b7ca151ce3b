// Products (matmul, convolution, ...) seen alike: as kernels that hand finished parts of their result, [rows, columns],
// to an epilogue. Regions that follow a product with more run it through this.
#pragma once

#include <gradloom/graph/node.hpp>
#include <gradloom/ops/gemm.hpp>
#include <gradloom/ops/kernel.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace gradloom::inline v0 {

struct WeightChannels;

/// Elements that a chunk reads of its operands, and has of the result. Chunks share operands; each part of one is
/// counted once.
struct ProductTraffic {
  int64_t read = 0, made = 0;
  int64_t read_a = 0;  ///< of what is read: of the first operand
};

/// The rows and columns of the result that a chunk makes.
struct ProductBlock {
  int64_t row = 0, rows = 0, col = 0, cols = 0;
};

/// What a product works with.
template <class T>
struct ProductMemory {
  const T* a = nullptr;
  const T* b = nullptr;
  T* result = nullptr;    ///< with an epilogue: room for partial sums, if FusibleProduct::needs_partials
  int64_t block_row = 0;  ///< not 0: `result` has room for the chunk's block alone, in rows so far apart
  void* scratch = nullptr;
  void* shared = nullptr;
  bool continues = false;      ///< KernelCall::continues
  bool scratch_has_a = false;  ///< what finish() of a product beside this one made there of the same operand
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

  /// Says that each chunk is made together with those of other products, side_by_side() with this one; `products` with
  /// this one: then they are all cut into the same blocks, as many as all together are worth. Comes first.
  virtual void share_chunks(int /*products*/) {}
  /// The block of a chunk, where chunks are shared.
  [[nodiscard]] virtual ProductBlock block(int64_t /*chunk*/) const { return {}; }
  /// Does once and for all what prepare() does with b, if that is a constant. What it makes is the product's own.
  virtual void bake(const T* /*b*/) {}
  /// Packs an operand, or sums parts, into shared memory.
  virtual void prepare(int64_t chunk, const ProductMemory<T>& memory) const = 0;
  /// Makes a part of the result: stores it, or hands it to the epilogue.
  virtual void finish(int64_t chunk, const ProductMemory<T>& memory) const = 0;
  [[nodiscard]] virtual ProductTraffic traffic(int64_t chunk) const = 0;
};

/// A product of fewer columns is all edge: its epilogue would run on copies of parts of blocks.
inline constexpr int64_t kNarrowestProduct = 8;

/// What an op says of its nodes as products: OpDef::product. Sizes are known.
struct ProductTable {
  std::shared_ptr<FusibleProduct<float>> (*f32)(const KernelRequest& request) = nullptr;
  std::shared_ptr<FusibleProduct<double>> (*f64)(const KernelRequest& request) = nullptr;
  /// Are rows made one after the other, with the columns at a place where an epilogue can begin? Null: always.
  bool (*is_in_order)(const Graph& graph, const Node& node) = nullptr;
  /// Is the result one matrix, so that its columns can be summed along the way? Null: always.
  bool (*has_one_matrix)(const Graph& graph, const Node& node) = nullptr;
  /// Can two such products share their chunks? Null: no.
  bool (*side_by_side)(const Graph& graph, const Node& a, const Node& b) = nullptr;
  /// Which elements of its second operand, whose sizes are given, make which of the result. Null: an order of its own.
  WeightChannels (*channels)(const Node& node, const std::vector<int64_t>& sizes) = nullptr;
};

/// Can an epilogue follow this node, whose sizes are known?
[[nodiscard]] bool is_fusible_product(const Graph& graph, const Node& node);

/// ProductTable::has_one_matrix of such a node.
[[nodiscard]] bool has_one_matrix(const Graph& graph, const Node& node);

/// Can these two be made block by block by the same threads, for one epilogue? FusibleProduct::share_chunks().
[[nodiscard]] bool are_side_by_side(const Graph& graph, const Node& a, const Node& b);

/// The elements of an input that is a constant, else null.
[[nodiscard]] const void* constant_input(const KernelRequest& request, int input);

/// The product of such a node, one of so many that share their chunks. `b`: its second operand, if that is known.
template <class T>
[[nodiscard]] std::shared_ptr<const FusibleProduct<T>> fusible_product(const KernelRequest& request, const void* b,
                                                                       int sharing = 1);

/// OpDef::plan of a product of floats: a node that is nothing but that.
[[nodiscard]] KernelPlan plan_product(const KernelRequest& request);

}  // namespace gradloom::inline v0
