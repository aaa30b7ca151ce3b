#include <gradloom/ops/fusible_product_internal.hpp>
#include <gradloom/ops/kernel.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/packed_gemm_table_internal.hpp>
#include <gradloom/ops/packed_product_internal.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace gradloom::inline v0 {

template <>
const PackedGemm<float>& packed_gemm(Isa isa) {
  return isa == Isa::avx512 ? avx512::packed_gemm_f32
         : isa == Isa::avx2 ? avx2::packed_gemm_f32
                            : baseline::packed_gemm_f32;
}
template <>
const PackedGemm<double>& packed_gemm(Isa isa) {
  return isa == Isa::avx512 ? avx512::packed_gemm_f64
         : isa == Isa::avx2 ? avx2::packed_gemm_f64
                            : baseline::packed_gemm_f64;
}

namespace {

int64_t rows_of(const Shape& shape) { return shape.element_count().value() / std::max<int64_t>(1, shape[-1].value()); }

// ---- packing

struct PackParams {
  int64_t k = 0, n = 0, row = 0, col = 0;  // strides of the weights
  Isa isa = Isa::baseline;
};

std::vector<TensorType> packed_shape(const ShapeContext& context) {
  const Shape& weights = context.shape(0);
  if (weights.rank() != 2 || !weights.known()) context.fail("the weights are no matrix of known sizes");
  const bool transpose = context.attributes().get<bool>("transpose");
  return {
      {context.dtype(0), {packed_elements(weights[transpose ? 1 : 0].value(), weights[transpose ? 0 : 1].value())}}};
}

template <class T>
void pack(const KernelCall& call) {
  const auto& params = *static_cast<const PackParams*>(call.params);
  const int64_t units = chunk_count(params.n, kPackedUnit);
  const int64_t begin = chunk_begin(units, call.chunks, call.chunk) * kPackedUnit;
  const int64_t end = std::min(params.n, chunk_begin(units, call.chunks, call.chunk + 1) * kPackedUnit);
  packed_gemm<T>(params.isa)
      .pack(static_cast<const T*>(call.inputs[0]), params.row, params.col, params.k, begin, end,
            static_cast<T*>(call.outputs[0]));
  const int64_t bytes = (end - begin) * params.k * static_cast<int64_t>(sizeof(T));
  call.count(bytes, bytes);
}

KernelPlan plan_packing(const KernelRequest& request) {
  // Weights were written by other cores, in the last step: their lines come one by one.
  constexpr int64_t grain = 16 * 1024;
  const std::vector<int64_t> sizes = request.input_sizes(0);
  const bool transpose = request.attributes().get<bool>("transpose");
  auto params = std::make_shared<PackParams>();
  *params = transpose ? PackParams{sizes[1], sizes[0], 1, sizes[1], request.isa()}
                      : PackParams{sizes[0], sizes[1], sizes[1], 1, request.isa()};
  KernelPlan plan;
  const int64_t count = params->k * params->n;
  if (count == 0) return plan;
  plan.steps = {{request.output().dtype == DType::f64 ? pack<double> : pack<float>,
                 std::min(chunk_count(count, grain), chunk_count(params->n, kPackedUnit))}};
  plan.nanoseconds = 100 + 0.5 * static_cast<double>(count);
  plan.params = std::move(params);
  return plan;
}

// ---- product

std::vector<TensorType> product_shape(const ShapeContext& context) {
  const Shape& a = context.shape(0);
  const int64_t n = context.attributes().get<int64_t>("columns");
  if (a.rank() < 2 || !a.known()) context.fail("lhs is no matrix of known sizes");
  (void)context.require_equal(packed_elements(a[-1].value(), n), context.shape(1)[0], "the packed elements");
  std::vector<Dim> dims = a.dims();
  dims.back() = n;
  return {{context.dtype(0), Shape(std::move(dims))}};
}

/// What packed weights are. Of pairs of bf16, so is the left-hand side, and both count as floats; it may be f32 in
/// memory still, of so many terms.
enum class Packed : uint8_t { as_computed, bf16, pairs };

template <class T>
class PackedProduct final : public FusibleProduct<T> {
 public:
  PackedProduct(int64_t m, int64_t n, int64_t k, Packed weights, const PackedGemm<T>& kernels, int64_t terms = 0)
      : k_(k), rounded_terms_(terms), weights_(weights), kernels_(kernels) {
    this->rows = m;
    this->columns = n;
    if (m == 0 || n == 0) return;
    const GemmGrid grid = gemm_grid(m, n, k);
    row_blocks_ = std::min(grid.rows, chunk_count(m, row_unit));
    // A few rows wait for the weights: parts of them come at once to several cores.
    constexpr int64_t part = 48 * 1024;
    const int64_t cols = m <= kGemmVectors ? std::max(grid.cols, std::min(n * k / part, most_parts)) : grid.cols;
    col_blocks_ = std::min(cols, chunk_count(n, kPackedUnit));
    this->chunks = row_blocks_ * col_blocks_;
    this->needs_partials = k > kGemmChunk;
    // At 120 GFLOP/s, or as memory delivers the weights, 80 bytes in a nanosecond.
    const double weight_bytes = static_cast<double>(n * k) * (weights == Packed::bf16 ? 2.0 : sizeof(T));
    this->nanoseconds = 100 + std::max(static_cast<double>(m * n) * static_cast<double>(k) / 60, weight_bytes / 80);
    this->scratch_bytes = rounded_bytes();
  }

  // As many blocks as the grid would have for the work of all, down a column first: the weights of a column stay in the
  // cache meanwhile, as do the blocks of the other products.
  void share_chunks(int products) override {
    if (this->chunks == 0) return;
    constexpr int64_t most_elements = 8 * 1024;  // of a block
    const int64_t wanted = std::max(products * this->chunks, this->rows * this->columns / most_elements);
    col_blocks_ = std::min(wanted, chunk_count(this->columns, kPackedUnit));
    row_blocks_ = std::min(chunk_count(wanted, col_blocks_), chunk_count(this->rows, row_unit));
    by_columns_ = true;
    this->chunks = row_blocks_ * col_blocks_;
    this->scratch_bytes = rounded_bytes();
  }

  void prepare(int64_t, const ProductMemory<T>&) const override {}

  void finish(int64_t chunk, const ProductMemory<T>& memory) const override {
    const ProductBlock block = this->block(chunk);
    const bool apart = memory.block_row > 0;
    T* const c =
        memory.result == nullptr || apart ? memory.result : memory.result + block.row * this->columns + block.col;
    GemmArgs<T> args{.m = block.rows,
                     .n = block.cols,
                     .k = k_,
                     .a = rounded_terms_ > 0 ? rounded_rows(block, memory) : memory.a + block.row * k_,
                     .a_row = k_,
                     .a_col = 1,
                     .b = nullptr,
                     .b_row = 0,
                     .b_col = 0,
                     .c = c,
                     .c_row = apart ? memory.block_row : this->columns,
                     .c_col = 1};
    args.epilogue = memory.epilogue;
    args.row_offset = block.row;
    args.col_offset = block.col;
    switch (weights_) {
      case Packed::as_computed:
        return kernels_.multiply(args, packed_panel(memory.b, k_, block.col));
      case Packed::bf16:
        return kernels_.multiply_bf16(args, packed_panel(reinterpret_cast<const BFloat16*>(memory.b), k_, block.col));
      case Packed::pairs:
        return kernels_.multiply_pairs(args,
                                       packed_panel(reinterpret_cast<const BFloat16Pair*>(memory.b), k_, block.col));
    }
  }

  [[nodiscard]] ProductBlock block(int64_t chunk) const override {
    const auto cut = [](int64_t size, int64_t unit, int64_t parts, int64_t i) {
      const int64_t units = chunk_count(size, unit);
      const int64_t begin = chunk_begin(units, parts, i) * unit;
      return std::pair(begin, std::min(size, chunk_begin(units, parts, i + 1) * unit) - begin);
    };
    const auto down = cut(this->rows, row_unit, row_blocks_, by_columns_ ? chunk % row_blocks_ : chunk / col_blocks_);
    const auto across =
        cut(this->columns, kPackedUnit, col_blocks_, by_columns_ ? chunk / row_blocks_ : chunk % col_blocks_);
    return {down.first, down.second, across.first, across.second};
  }

  [[nodiscard]] ProductTraffic traffic(int64_t chunk) const override {
    const ProductBlock block = this->block(chunk);
    const int64_t row_elements = rounded_terms_ > 0 ? rounded_terms_ : k_;
    const int64_t weights = block.row == 0 ? k_ * block.cols : 0, a = block.col == 0 ? row_elements * block.rows : 0;
    return {a + (weights_ == Packed::bf16 ? weights / 2 : weights), block.rows * block.cols, a};
  }

 private:
  [[nodiscard]] size_t rounded_bytes() const {  // the first block is the largest
    return rounded_terms_ > 0 ? static_cast<size_t>(block(0).rows * k_) * sizeof(T) : 0;
  }

  const T* rounded_rows(const ProductBlock& block, const ProductMemory<T>& memory) const {
    if (!memory.scratch_has_a) {
      const TermMatrix from{memory.a + block.row * rounded_terms_, false, rounded_terms_, 1, rounded_terms_};
      avx512::pair_packing.pack_rows(from, {0, k_, 0, block.rows}, static_cast<BFloat16Pair*>(memory.scratch));
    }
    return static_cast<const T*>(memory.scratch);
  }

  /// Rows are cut as those of any product: epilogues that sum columns add groups of 16 rows in a fixed order.
  static constexpr int64_t row_unit = 16, most_parts = 32;

  int64_t k_ = 0, row_blocks_ = 1, col_blocks_ = 1;
  bool by_columns_ = false;
  int64_t rounded_terms_ = 0;
  Packed weights_;
  const PackedGemm<T>& kernels_;
};

template <class T>
std::shared_ptr<FusibleProduct<T>> packed_product(const KernelRequest& request) {
  const Shape& a = request.input(0).shape;
  return std::make_shared<PackedProduct<T>>(rows_of(a), request.attributes().get<int64_t>("columns"), a[-1].value(),
                                            request.input(1).dtype == DType::bf16 ? Packed::bf16 : Packed::as_computed,
                                            packed_gemm<T>(request.isa()));
}

std::shared_ptr<FusibleProduct<float>> paired_product(const KernelRequest& request) {
  const TensorType& a = request.input(0);
  const int64_t terms = a.shape[-1].value();
  return std::make_shared<PackedProduct<float>>(rows_of(a.shape), request.attributes().get<int64_t>("columns"),
                                                pairs_for(terms), Packed::pairs, packed_gemm<float>(request.isa()),
                                                a.dtype == DType::f32 ? terms : 0);
}

bool side_by_side(const Graph& graph, const Node& a, const Node& b) {
  const auto depth = [&](const Node& node) {
    const Value& value = node.inputs[0];
    return graph.node(value.node).outputs[static_cast<size_t>(value.output)].shape[-1];
  };
  return depth(a) == depth(b);
}

constexpr ProductTable product_table{
    .f32 = packed_product<float>, .f64 = packed_product<double>, .side_by_side = side_by_side};
constexpr ProductTable paired_table{.f32 = paired_product, .side_by_side = side_by_side};

// ---- pairs of bf16

std::vector<TensorType> panels_shape(const ShapeContext& context) {
  const Shape& weights = context.shape(0);
  if (weights.rank() != 2 || !weights.known()) context.fail("the weights are no matrix of known sizes");
  const bool transpose = context.attributes().get<bool>("transpose");
  const int64_t k = weights[transpose ? 1 : 0].value(), n = weights[transpose ? 0 : 1].value();
  return {{DType::i32, {packed_elements(pairs_for(k), n)}}};
}

std::vector<TensorType> pair_rows_shape(const ShapeContext& context) {
  const Shape& a = context.shape(0);
  const bool transpose = context.attributes().get<bool>("transpose");
  if (!a.known() || a.rank() < 2 || (transpose && a.rank() > 2)) context.fail("lhs is no matrix of known sizes");
  std::vector<Dim> dims = a.dims();
  if (transpose) std::swap(dims[0], dims[1]);
  dims.back() = 2 * pairs_for(dims.back().value());
  return {{DType::bf16, Shape(std::move(dims))}};
}

std::vector<TensorType> paired_shape(const ShapeContext& context) {
  const Shape& a = context.shape(0);
  const int64_t n = context.attributes().get<int64_t>("columns");
  if (a.rank() < 2 || !a.known()) context.fail("lhs is no matrix of known sizes");
  const int64_t terms = a[-1].value();
  if (context.dtype(0) == DType::bf16 && terms % 2 != 0) context.fail("a row of lhs has half a pair");
  (void)context.require_equal(packed_elements(pairs_for(terms), n), context.shape(1)[0], "the packed pairs");
  std::vector<Dim> dims = a.dims();
  dims.back() = n;
  return {{DType::f32, Shape(std::move(dims))}};
}

/// Lines are cut into units, terms into blocks: chunks are runs of blocks in the order of memory.
struct PairingParams {
  using Pack = void (*)(const TermMatrix& from, const PairBlock& block, BFloat16Pair* to) noexcept;

  TermMatrix from{};
  int64_t lines = 0, unit = 0;
  Pack pack = nullptr;

  [[nodiscard]] bool lies_across() const { return from.line == 1; }
  [[nodiscard]] int64_t block_pairs() const { return lies_across() ? kPairUnit : 32 * kPairUnit; }
  [[nodiscard]] int64_t units() const { return chunk_count(lines, unit); }
  [[nodiscard]] int64_t depths() const { return chunk_count(pairs_for(from.terms), block_pairs()); }
  [[nodiscard]] int64_t blocks() const { return units() * depths(); }
  [[nodiscard]] PairBlock block(int64_t i) const {
    const int64_t line = (lies_across() ? i % units() : i / depths()) * unit;
    const int64_t first = (lies_across() ? i / units() : i % depths()) * block_pairs();
    return {first, std::min(pairs_for(from.terms), first + block_pairs()), line, std::min(lines, line + unit)};
  }
};

void pair(const KernelCall& call) {
  const auto& params = *static_cast<const PairingParams*>(call.params);
  TermMatrix from = params.from;
  from.data = call.inputs[0];
  const int64_t end = chunk_begin(params.blocks(), call.chunks, call.chunk + 1);
  int64_t elements = 0;
  for (int64_t i = chunk_begin(params.blocks(), call.chunks, call.chunk); i < end; ++i) {
    const PairBlock block = params.block(i);
    params.pack(from, block, static_cast<BFloat16Pair*>(call.outputs[0]));
    elements += (block.end - block.begin) * 2 * (block.last_line - block.first_line);
  }
  call.count(elements * static_cast<int64_t>(from.is_bf16 ? sizeof(BFloat16) : sizeof(float)),
             elements * static_cast<int64_t>(sizeof(BFloat16)));
}

KernelPlan plan_pairing(const KernelRequest& request, PairingParams params) {
  constexpr int64_t grain = 16 * 1024;  // as for weights that stay f32
  const int64_t count = params.from.terms * params.lines;
  KernelPlan plan;
  if (count == 0) return plan;
  params.from.is_bf16 = request.input(0).dtype == DType::bf16;
  plan.steps = {{pair, std::min(chunk_count(count, grain), params.blocks())}};
  plan.nanoseconds = 100 + 0.15 * static_cast<double>(count);
  plan.params = std::make_shared<PairingParams>(params);
  return plan;
}

KernelPlan plan_panels(const KernelRequest& request) {
  const std::vector<int64_t> sizes = request.input_sizes(0);
  const bool transpose = request.attributes().get<bool>("transpose");
  const TermMatrix from =
      transpose ? TermMatrix{nullptr, false, sizes[1], 1, sizes[1]} : TermMatrix{nullptr, false, sizes[0], sizes[1], 1};
  return plan_pairing(request, {from, sizes[transpose ? 0 : 1], kPackedUnit, avx512::pair_packing.pack_panels});
}

KernelPlan plan_pair_rows(const KernelRequest& request) {
  const std::vector<int64_t> sizes = request.input_sizes(0);
  const bool transpose = request.attributes().get<bool>("transpose");
  const TermMatrix from = transpose ? TermMatrix{nullptr, false, sizes[0], sizes[1], 1}
                                    : TermMatrix{nullptr, false, sizes.back(), 1, sizes.back()};
  const int64_t lines = transpose ? sizes[1] : rows_of(request.input(0).shape);
  return plan_pairing(request, {from, lines, kPairUnit, avx512::pair_packing.pack_rows});
}

}  // namespace

// Written so that the build does not find them: the table of ops is for what a graph can be written with, and the order
// of packed weights is that of one instruction set.
const OpDef pack_weights_def = {.name = "pack_weights",
                                .inputs = {"weights"},
                                .rule = "pack_weights needs a matrix of floats",
                                .shape = packed_shape,
                                .no_gradient = "it is made after differentiation",
                                .plan = plan_packing};

const OpDef packed_matmul_def = {
    .name = "packed_matmul",
    .inputs = {"lhs", "packed"},
    .rule = "packed_matmul needs lhs [..., m, k] and packed weights [k, n], the same or bf16",
    .shape = product_shape,
    .no_gradient = "it is made after differentiation",
    .product = &product_table,
    .plan = plan_product,
    .properties = {.takes_bf16 = true}};

const OpDef pair_panels_def = {.name = "pair_panels",
                               .inputs = {"weights"},
                               .rule = "pair_panels needs a matrix of f32 or bf16",
                               .shape = panels_shape,
                               .no_gradient = "it is made after differentiation",
                               .plan = plan_panels,
                               .properties = {.takes_bf16 = true}};

const OpDef pair_rows_def = {.name = "pair_rows",
                             .inputs = {"lhs"},
                             .rule = "pair_rows needs a matrix of f32 or bf16",
                             .shape = pair_rows_shape,
                             .no_gradient = "it is made after differentiation",
                             .plan = plan_pair_rows,
                             .properties = {.takes_bf16 = true}};

const OpDef paired_matmul_def = {
    .name = "paired_matmul",
    .inputs = {"lhs", "packed"},
    .rule = "paired_matmul needs lhs [..., m, k] of bf16, or of f32 to round, and panels of pairs",
    .shape = paired_shape,
    .no_gradient = "it is made after differentiation",
    .product = &paired_table,
    .plan = plan_product,
    .properties = {.takes_bf16 = true}};

bool multiplies_bf16(Isa isa) {
  __builtin_cpu_init();
  return isa == Isa::avx512 && __builtin_cpu_supports("avx512bf16");
}

namespace {

const Shape& shape_of(const Graph& graph, const Value& value) {
  return graph.node(value.node).outputs[static_cast<size_t>(value.output)].shape;
}

/// The sizes of a product of floats that has one matrix on the right.
struct ProductSizes {
  int64_t m, n, k;
};
std::optional<ProductSizes> sizes_of(const Graph& graph, const Node& node) {
  if (node.op != &matmul_def || !is_float(node.outputs[0].dtype)) return std::nullopt;
  const Shape &a = shape_of(graph, node.inputs[0]), &b = shape_of(graph, node.inputs[1]);
  const bool transpose_a = node.attributes.get<bool>("transpose_a");
  if (b.rank() != 2 || (transpose_a && a.rank() > 2) || !a.known() || !b.known()) return std::nullopt;
  const Shape& c = node.outputs[0].shape;
  return ProductSizes{rows_of(c), c[-1].value(), a[transpose_a ? -2 : -1].value()};
}

}  // namespace

bool suits_pairs(const Graph& graph, const Node& node, bool packed_once) {
  constexpr int64_t least_rows = 32, least = 32;
  const auto sizes = sizes_of(graph, node);
  return sizes && node.outputs[0].dtype == DType::f32 && (packed_once || sizes->m >= least_rows) && sizes->n >= least &&
         sizes->k >= least;
}

bool suits_packing(const Graph& graph, const Node& node, bool as_bf16) {
  const auto sizes = sizes_of(graph, node);
  if (!sizes || node.attributes.get<bool>("transpose_a")) return false;
  // Panels lie in memory in the order in which they are read, which is fastest. As they are, few rows would run through
  // all of k for a few columns at a time, several times as long from memory, and one row through many rows of weights
  // side by side. Where the weights lie along k, few rows are summed in lanes, in another order.
  constexpr int64_t most_rows = 512, least_columns = 16, least_depth = 16;
  constexpr int64_t from_memory = int64_t{1} << 20;  // elements
  const auto& [m, n, k] = *sizes;
  const bool in_lanes = node.attributes.get<bool>("transpose_b") && m <= kGemmVectors;
  const bool suits = !in_lanes || (as_bf16 && n * k >= from_memory);
  return suits && m >= 1 && m <= most_rows && n >= least_columns && k >= least_depth;
}

Tensor pack_weights(Graph& graph, const Node& matmul, const Tensor& weights, bool pairs) {
  Node node = matmul;
  node.op = pairs ? &pair_panels_def : &pack_weights_def;
  node.name.clear();
  return graph.add_copy(node, {&weights, 1}, {{"transpose", matmul.attributes.get<bool>("transpose_b")}});
}

Tensor packed_matmul(Graph& graph, const Node& matmul, const Tensor& a, const Tensor& packed) {
  Node node = matmul;
  node.op = packed.dtype() == DType::i32 ? &paired_matmul_def : &packed_matmul_def;
  const Tensor operands[] = {a, packed};
  return graph.add_copy(node, operands, {{"columns", matmul.outputs[0].shape[-1].value()}});
}

}  // namespace gradloom::inline v0
