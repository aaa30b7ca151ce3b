// matmul: C = A B over the last two axes, every transpose a flag, so that gradients of any order are matmuls too.
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/broadcast_internal.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/constant_weights_internal.hpp>
#include <gradloom/ops/gemm.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/kernel.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/matmul_internal.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/patterns.hpp>
#include <gradloom/ops/sample.hpp>

#include <algorithm>

namespace gradloom::inline v0 {

namespace {

MatmulOptions options_of(const Attributes& attributes) {
  return {.transpose_a = attributes.get<bool>("transpose_a"), .transpose_b = attributes.get<bool>("transpose_b")};
}

// ---- shape

std::vector<TensorType> shape(const ShapeContext& context) {
  const auto [transpose_a, transpose_b] = options_of(context.attributes());
  const Shape &a = context.shape(0), &b = context.shape(1);
  const DType dtype = context.dtype(0);
  if (a.rank() < 2) context.fail("lhs has fewer than two axes");
  if (b.rank() < 2) context.fail("rhs has fewer than two axes");
  if (dtype != context.dtype(1)) context.fail("the dtypes differ");
  if (dtype < DType::i32) context.fail("it takes i32, i64, f32, f64, not " + std::string(to_string(dtype)));
  (void)context.require_equal(a[transpose_a ? -2 : -1], b[transpose_b ? -1 : -2], "inner dimensions");

  std::vector<Dim> dims(static_cast<size_t>(std::max(a.rank(), b.rank())), Dim(1));
  const int rank = static_cast<int>(dims.size());
  for (int axis = 3; axis <= rank; ++axis) {
    Dim& dim = dims[static_cast<size_t>(rank - axis)];
    if (axis <= a.rank()) dim = a[-axis];
    if (axis > b.rank() || b[-axis] == Dim(1)) continue;
    const std::string what = "the batch sizes of axis " + std::to_string(-axis);
    dim = dim == Dim(1) ? b[-axis] : context.require_equal(dim, b[-axis], what);
  }
  dims[dims.size() - 2] = a[transpose_a ? -1 : -2];
  dims[dims.size() - 1] = b[transpose_b ? -2 : -1];
  return {{dtype, Shape(std::move(dims))}};
}

// ---- gradient

/// All rows of a batch of matrices as those of one.
Tensor as_rows(const Tensor& x) {
  Dim rows = 1;
  for (int axis = 0; axis + 1 < x.rank(); ++axis) rows = rows * x.dim(axis);
  return reshape(x, {rows, x.dim(-1)});
}

// C = A B: dA = G B^T and dB = A^T G; the other flags follow by transposing both sides of these.
Gradients vjp(const Vjp& v) {
  const auto [transpose_a, transpose_b] = options_of(v.attributes());
  const Tensor a = v.input(0), b = v.input(1), g = v.cotangent();
  const Tensor to_a = transpose_a ? matmul(b, g, {.transpose_a = transpose_b, .transpose_b = true})
                                  : matmul(g, b, {.transpose_b = !transpose_b});
  // If all batches met the same B, their rows are those of one tall A: one product sums over the batches as well.
  const bool tall = b.rank() == 2 && a.rank() > 2 && !transpose_a;
  const Tensor rows = tall ? as_rows(a) : a, g_rows = tall ? as_rows(g) : g;
  const Tensor to_b = transpose_b ? matmul(g_rows, rows, {.transpose_a = true, .transpose_b = transpose_a})
                                  : matmul(rows, g_rows, {.transpose_a = !transpose_a});
  return {sum_to(to_a, a.shape()), sum_to(to_b, b.shape())};
}

// ---- simplify

/// Does x only swap its input's last two axes?
bool is_transposed(const Tensor& x) {
  if (!made_by(x, transpose_def)) return false;
  const auto& permutation = x.node().attributes.get<std::vector<int64_t>>("permutation");
  const int64_t rank = static_cast<int64_t>(permutation.size());
  for (int64_t axis = 0; axis + 2 < rank; ++axis) {
    if (permutation[static_cast<size_t>(axis)] != axis) return false;
  }
  return rank >= 2 && permutation.back() == rank - 2;
}

Tensor simplify(Graph& graph, const Node& node, std::span<const Tensor> inputs) {
  const bool a = is_transposed(inputs[0]), b = is_transposed(inputs[1]);
  if (!a && !b) return {};
  const auto [transpose_a, transpose_b] = options_of(node.attributes);
  const Tensor operands[] = {a ? input_of(inputs[0]) : inputs[0], b ? input_of(inputs[1]) : inputs[1]};
  return graph.add_copy(node, operands, {{"transpose_a", transpose_a != a}, {"transpose_b", transpose_b != b}});
}

// ---- kernels

const GemmKernels& gemm_kernels_of(Isa isa) {
  return isa == Isa::avx512 ? avx512::gemm_kernels : isa == Isa::avx2 ? avx2::gemm_kernels : baseline::gemm_kernels;
}

/// Integers have no rounding and so need no fixed order; unsigned arithmetic wraps around where signed is undefined.
template <class T>
void multiply_integers(const GemmArgs<T>& g, void*) noexcept {
  using U = std::make_unsigned_t<T>;
  for (int64_t i = 0; i < g.m; ++i) {
    T* const c = g.c + i * g.c_row;
    for (int64_t j = 0; j < g.n; ++j) c[j * g.c_col] = 0;
    for (int64_t p = 0; p < g.k; ++p) {
      const U a = static_cast<U>(g.a[i * g.a_row + p * g.a_col]);
      const T* const b = g.b + p * g.b_row;
      for (int64_t j = 0; j < g.n; ++j) {
        c[j * g.c_col] = static_cast<T>(static_cast<U>(c[j * g.c_col]) + a * static_cast<U>(b[j * g.b_col]));
      }
    }
  }
}

template <class T>
void run(const KernelCall& call) {
  const auto& products = *static_cast<const Products<T>*>(call.params);
  if (call.traffic != nullptr) {
    const ProductTraffic moved = chunk_traffic(products, call.chunk);
    constexpr int64_t size = sizeof(T);
    call.count(moved.read * size, moved.made * size);
  }
  multiply_chunk<T>(products, call.chunk,
                    {.a = static_cast<const T*>(call.inputs[0]),
                     .b = static_cast<const T*>(call.inputs[1]),
                     .result = static_cast<T*>(call.outputs[0]),
                     .scratch = call.scratch,
                     .continues = call.continues});
}

// ---- plan

/// The batch axes of the output, those merged that both operands walk through as if they were one.
std::vector<BatchAxis> batch_axes(const std::vector<int64_t>& a, const std::vector<int64_t>& b,
                                  const std::vector<int64_t>& c) {
  std::vector<BatchAxis> axes;  // innermost first
  int64_t a_stride = a[a.size() - 2] * a.back(), b_stride = b[b.size() - 2] * b.back();
  for (size_t axis = 3; axis <= c.size(); ++axis) {
    const int64_t size = c[c.size() - axis];
    const int64_t a_size = axis <= a.size() ? a[a.size() - axis] : 1;
    const int64_t b_size = axis <= b.size() ? b[b.size() - axis] : 1;
    const BatchAxis next{size, a_size == 1 ? 0 : a_stride, b_size == 1 ? 0 : b_stride};
    a_stride *= a_size;
    b_stride *= b_size;
    if (size == 1) continue;
    if (!axes.empty() && next.a_stride == axes.back().a_stride * axes.back().size &&
        next.b_stride == axes.back().b_stride * axes.back().size) {
      axes.back().size *= size;
    } else {
      axes.push_back(next);
    }
  }
  return {axes.rbegin(), axes.rend()};
}

/// Expected time of one product, in nanoseconds: arithmetic at 120 GFLOP/s, operands and result at 64 GB/s (which is
/// what counts for vectors), and the way into the kernel and out.
double product_nanoseconds(int64_t m, int64_t n, int64_t k, size_t element_size) {
  const double dm = static_cast<double>(m), dn = static_cast<double>(n), dk = static_cast<double>(k);
  return 100 + 2 * dm * dn * dk / 120 + (dm * dk + dk * dn + dm * dn) * static_cast<double>(element_size) / 64;
}

/// `multiply` and how much scratch it needs for the largest block.
template <class T>
Products<T> make_products(const std::vector<int64_t>& a, const std::vector<int64_t>& b, const std::vector<int64_t>& c,
                          const MatmulOptions& options, Multiply<T> multiply, const GemmKernels* kernels) {
  constexpr double group_nanoseconds = 15000;  // worth handing to another thread
  constexpr size_t most_kept = size_t{4} << 20;
  int64_t m = c[c.size() - 2];
  const int64_t n = c.back(), k = a[a.size() - (options.transpose_a ? 2 : 1)];
  Products<T> products;
  products.batch = batch_axes(a, b, c);
  if (products.batch.size() == 1 && products.batch[0].b_stride == 0 && !options.transpose_a) {
    m *= products.batch[0].size;  // all rows of A meet the same B: one product
    products.batch.clear();
  }
  for (const BatchAxis& axis : products.batch) products.count *= axis.size;
  products.args = {.m = m,
                   .n = n,
                   .k = k,
                   .a = nullptr,
                   .a_row = options.transpose_a ? 1 : k,
                   .a_col = options.transpose_a ? m : 1,
                   .b = nullptr,
                   .b_row = options.transpose_b ? 1 : n,
                   .b_col = options.transpose_b ? k : 1,
                   .c = nullptr,
                   .c_row = n,
                   .c_col = 1};
  products.args.sums_in_lanes = gemm_sums_in_lanes(products.args);
  products.multiply = multiply;
  products.grid = gemm_grid(m, n, k, options.transpose_a, options.transpose_b);
  if (products.count > 1 || !std::is_floating_point_v<T>) products.grid.depths = 1;
  if (m == 0 || n == 0 || products.count == 0) {
    products.groups = 0;
    return products;
  }
  const double nanoseconds = product_nanoseconds(m, n, k, sizeof(T));
  const int64_t grain =
      products.blocks() > 1 ? 1 : std::max<int64_t>(1, static_cast<int64_t>(group_nanoseconds / nanoseconds));
  products.groups = chunk_count(products.count, grain);
  products.nanoseconds = nanoseconds * static_cast<double>(products.count);
  if (kernels == nullptr) return products;
  // The first block of a grid is the largest.
  const int64_t rows = gemm_grid_rows(products.grid, m, 0).size, cols = gemm_grid_cols(products.grid, n, 0).size;
  products.scratch_bytes = kernels->workspace_bytes(rows, cols, k, sizeof(T));
  if (products.blocks() == 1 || products.grid.depths > 1) return products;
  const size_t kept = static_cast<size_t>(gemm_kept_elements(products.grid.by_columns ? cols : rows, k)) * sizeof(T);
  if (kept > most_kept) return products;
  products.kept_offset = (products.scratch_bytes + kept_header - 1) / kept_header * kept_header;
  products.scratch_bytes = products.kept_offset + kept_header + kept;
  return products;
}

template <class T>
Products<T> products_of(const KernelRequest& request, Multiply<T> multiply, const GemmKernels* kernels) {
  return make_products<T>(request.input_sizes(0), request.input_sizes(1), request.output_sizes(),
                          options_of(request.attributes()), multiply, kernels);
}

template <class T>
class MatmulProduct : public FusibleProduct<T> {
 public:
  explicit MatmulProduct(Products<T> products) : products_(std::move(products)) {
    const GemmArgs<T>& args = products_.args;
    this->rows = products_.count * args.m;
    this->columns = args.n;
    if (products_.groups == 0) return;
    this->chunks = products_.chunks();
    this->scratch_bytes = products_.scratch_bytes;
    this->nanoseconds = products_.nanoseconds;
    if (is_cut()) {
      this->prepare_chunks = products_.parts();
      this->shared_bytes = products_.partial_bytes();
    }
    this->needs_partials = args.k > kGemmChunk && !is_cut();
  }

  void prepare(int64_t chunk, const ProductMemory<T>& memory) const override {
    multiply_part(products_, chunk, memory.a, memory.b, static_cast<T*>(memory.shared), memory.scratch);
  }
  void finish(int64_t chunk, const ProductMemory<T>& memory) const override {
    if (is_cut()) {
      combine_block(products_, chunk, memory.result, static_cast<const T*>(memory.shared), memory.epilogue);
    } else {
      multiply_chunk(products_, chunk, memory);
    }
  }
  [[nodiscard]] ProductTraffic traffic(int64_t chunk) const override { return chunk_traffic(products_, chunk); }

 private:
  [[nodiscard]] bool is_cut() const { return products_.grid.depths > 1; }

  Products<T> products_;
};

template <class T>
KernelPlan plan_integers(const KernelRequest& request) {
  auto products = std::make_shared<Products<T>>(products_of<T>(request, multiply_integers<T>, nullptr));
  if (products->groups == 0) return {};
  KernelPlan plan;
  plan.steps = {{run<T>, products->chunks()}};
  plan.nanoseconds = products->nanoseconds;
  plan.params = std::move(products);
  return plan;
}

KernelPlan plan(const KernelRequest& request) {
  switch (request.output().dtype) {
    case DType::f64:
    case DType::f32:
      return plan_product(request);
    case DType::i64:
      return plan_integers<int64_t>(request);
    default:
      return plan_integers<int32_t>(request);
  }
}

bool has_one_matrix(const Graph& graph, const Node& node) {
  const auto rank = [&](size_t i) {
    const Value& value = node.inputs[i];
    return graph.node(value.node).outputs[static_cast<size_t>(value.output)].shape.rank();
  };
  return rank(1) == 2 && (rank(0) == 2 || !node.attributes.get<bool>("transpose_a"));
}

WeightChannels channels(const Node& node, const std::vector<int64_t>& sizes) {
  return {sizes[sizes.size() - 2], sizes.back(), node.attributes.get<bool>("transpose_b"), 1};
}

std::shared_ptr<FusibleProduct<float>> product_f32(const KernelRequest& request) {
  const GemmKernels& kernels = gemm_kernels_of(request.isa());
  return std::make_shared<MatmulProduct<float>>(products_of<float>(request, kernels.f32, &kernels));
}
std::shared_ptr<FusibleProduct<double>> product_f64(const KernelRequest& request) {
  const GemmKernels& kernels = gemm_kernels_of(request.isa());
  return std::make_shared<MatmulProduct<double>>(products_of<double>(request, kernels.f64, &kernels));
}

constexpr ProductTable product_table{
    .f32 = product_f32, .f64 = product_f64, .has_one_matrix = has_one_matrix, .channels = channels};

// ---- samples

std::vector<Sample> samples() {
  const auto flags = [](bool a, bool b) { return Attributes{{"transpose_a", a}, {"transpose_b", b}}; };
  return {{.inputs = {{{3, 5}}, {{5, 2}}}, .attributes = flags(false, false)},
          {.inputs = {{{5, 3}}, {{5, 2}}}, .attributes = flags(true, false)},
          {.inputs = {{{2, 3, 5}}, {{2, 5}}}, .attributes = flags(false, true)},
          {.inputs = {{{4, 1, 5, 3}}, {{2, 2, 5}}}, .attributes = flags(true, true)}};
}

}  // namespace

const OpDef matmul_def{.name = "matmul",
                       .inputs = {"lhs", "rhs"},
                       .rule = "matmul needs lhs [..., m, k] and rhs [..., k, n]",
                       .shape = shape,
                       .vjp = vjp,
                       .product = &product_table,
                       .plan = plan,
                       .simplify = simplify,
                       .samples = samples};

Tensor matmul(const Operand& a, const Operand& b, const MatmulOptions& options) {
  const SourceScope scope(a, "matmul");
  Tensor operands[] = {a.tensor(), b.tensor()};
  Attributes attributes{{"transpose_a", options.transpose_a}, {"transpose_b", options.transpose_b}};
  if (b.is_number()) return a.tensor().graph().add(matmul_def, operands, attributes, a.location());  // complains

  const DType dtype = computed_as(promote(operands[0].dtype(), operands[1].dtype()));
  for (Tensor& operand : operands) operand = cast(operand, dtype);
  // A vector is a matrix of one row on the left, of one column on the right; that axis is not in the result.
  const bool a_is_vector = operands[0].rank() == 1, b_is_vector = operands[1].rank() == 1;
  if (a_is_vector) {
    operands[0] = expand_dims(operands[0], 0);
    attributes.set("transpose_a", false);
  }
  if (b_is_vector) {
    operands[1] = expand_dims(operands[1], 1);
    attributes.set("transpose_b", false);
  }
  const Tensor product = a.tensor().graph().add(matmul_def, operands, attributes, a.location());
  std::vector<int64_t> added;
  if (a_is_vector) added.push_back(-2);
  if (b_is_vector) added.push_back(-1);
  return added.empty() ? product : squeeze(product, added);
}

}  // namespace gradloom::inline v0
