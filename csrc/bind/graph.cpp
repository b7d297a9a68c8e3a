// What recording an operation does for every call: a node, a tensor, the user's line.
//
// Nodes and tensors are Python classes with slots; here they are made and filled in one call.
#include <Python.h>
#if PY_VERSION_HEX >= 0x030B0000 && PY_VERSION_HEX < 0x030E0000 && !defined(Py_GIL_DISABLED)
#define RUSH_INNER_FRAMES  // see NOTE [Frames]
#define Py_BUILD_CORE 1
#include <internal/pycore_frame.h>
#undef Py_BUILD_CORE
#endif

#include <structmember.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "bind/arrays.h"

namespace rush {
namespace {

// The folder of the package: frames of its files are not the user's.
std::string& library() {
  static std::string folder;
  return folder;
}

bool is_library(PyCodeObject* code) {
  const char* name = PyUnicode_AsUTF8(code->co_filename);
  if (name == nullptr) {
    PyErr_Clear();
    return false;
  }
  // Generated functions carry a name of this form, see ops/_codegen.py.
  return std::strncmp(name, "<rushlight ", 11) == 0 ||
         (!library().empty() && std::strncmp(name, library().c_str(), library().size()) == 0);
}

// A walk over the interpreter's frames, from the innermost outwards.
//
// NOTE [Frames] Since CPython 3.11 a frame object is made only for who asks, at a cost of about 70
// ns a frame. This is called for every recorded operation, so where the interpreter's own structure
// is known it is read instead; other versions take the public way.
#ifdef RUSH_INNER_FRAMES

class Frames {
 public:
  Frames() {
#if PY_VERSION_HEX >= 0x030D0000
    frame_ = PyThreadState_Get()->current_frame;
#else
    frame_ = PyThreadState_Get()->cframe->current_frame;
#endif
    skip();
  }
  bool done() const { return frame_ == nullptr; }
  void next() {
    frame_ = frame_->previous;
    skip();
  }
  PyCodeObject* code() const {
#if PY_VERSION_HEX >= 0x030D0000
    return reinterpret_cast<PyCodeObject*>(frame_->f_executable);
#else
    return frame_->f_code;
#endif
  }
  long offset() const {
    return static_cast<long>(_PyInterpreterFrame_LASTI(frame_)) * sizeof(_Py_CODEUNIT);
  }

 private:
  // Passes over what is no Python code.
  void skip() {
#if PY_VERSION_HEX >= 0x030C0000
    while (frame_ != nullptr && frame_->owner == FRAME_OWNED_BY_CSTACK) frame_ = frame_->previous;
#endif
  }
  _PyInterpreterFrame* frame_;
};

#else

class Frames {
 public:
  Frames() : frame_(PyThreadState_GetFrame(PyThreadState_Get())) { look(); }
  ~Frames() {
    Py_XDECREF(code_);
    Py_XDECREF(frame_);
  }
  bool done() const { return frame_ == nullptr; }
  void next() {
    PyFrameObject* caller = PyFrame_GetBack(frame_);
    Py_DECREF(frame_);
    frame_ = caller;
    look();
  }
  PyCodeObject* code() const { return code_; }
  long offset() const {
    PyObject* value = PyObject_GetAttrString(reinterpret_cast<PyObject*>(frame_), "f_lasti");
    const long offset = PyLong_AsLong(value);
    Py_DECREF(value);
    return offset;
  }

 private:
  void look() {
    Py_XDECREF(code_);
    code_ = frame_ == nullptr ? nullptr : PyFrame_GetCode(frame_);
  }
  PyFrameObject* frame_;
  PyCodeObject* code_ = nullptr;
};

#endif

// (code object, offset of the instruction) of the innermost frame outside of the package, or None.
// The line is worked out when an error wants it, see autograd/site.py.
PyObject* site(PyObject*, PyObject*) {
  for (Frames frames; !frames.done(); frames.next()) {
    PyCodeObject* code = frames.code();
    if (is_library(code)) continue;
    PyObject* result = PyTuple_New(2);
    Py_INCREF(code);
    PyTuple_SET_ITEM(result, 0, reinterpret_cast<PyObject*>(code));
    PyTuple_SET_ITEM(result, 1, PyLong_FromLong(frames.offset()));
    return result;
  }
  Py_RETURN_NONE;
}

// ---- Slots ----

PyTypeObject* tensor_type = nullptr;

// Where the slots of a class lie in its objects; subclasses keep them.
struct TensorSlots {
  Py_ssize_t array, counter, edge, view;
} tensor_slots;
struct NodeSlots {
  Py_ssize_t dtype, edges, extras, order, saved, shape, site;
} node_slots;

Py_ssize_t slot_offset(const py::handle& type, const char* name) {
  const py::object descriptor = type.attr(name);
  if (Py_TYPE(descriptor.ptr()) != &PyMemberDescr_Type) {
    throw TypeError(std::string("no slot of this name: ") + name);
  }
  return reinterpret_cast<PyMemberDescrObject*>(descriptor.ptr())->d_member->offset;
}

void set_tensor(const py::type& type) {
  tensor_slots = {slot_offset(type, "_array"), slot_offset(type, "_counter"),
                  slot_offset(type, "_edge"), slot_offset(type, "_view")};
  tensor_type = reinterpret_cast<PyTypeObject*>(py::type(type).release().ptr());
}

void set_node(const py::type& type) {
  node_slots = {slot_offset(type, "dtype"), slot_offset(type, "edges"), slot_offset(type, "extras"),
                slot_offset(type, "order"), slot_offset(type, "saved"), slot_offset(type, "shape"),
                slot_offset(type, "site")};
}

PyObject*& slot(PyObject* object, Py_ssize_t offset) {
  return *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(object) + offset);
}

PyObject* borrowed(PyObject* value) {
  Py_INCREF(value);
  return value;
}

// ---- Nodes and tensors ----

// Later operations come first in a heap: the count runs downwards.
PyObject* next_order(PyObject*, PyObject*) {
  static std::atomic<long long> count{0};
  return PyLong_FromLongLong(--count);
}

PyObject* shape_of(PyObject* array) {
  if (!py::isinstance<py::array>(array)) return PyObject_GetAttrString(array, "shape");
  const auto view = py::reinterpret_borrow<py::array>(array);
  PyObject* shape = PyTuple_New(view.ndim());
  for (py::ssize_t d = 0; d < view.ndim(); ++d) {
    PyTuple_SET_ITEM(shape, d, PyLong_FromSsize_t(view.shape(d)));
  }
  return shape;
}

PyObject* make_node(PyObject* type, PyObject* array, PyObject* edges, PyObject* saved) {
  auto* const kind = reinterpret_cast<PyTypeObject*>(type);
  PyObject* node = kind->tp_alloc(kind, 0);
  if (node == nullptr) return nullptr;
  PyObject* shape = shape_of(array);
  PyObject* dtype = PyObject_GetAttrString(array, "dtype");
  if (shape == nullptr || dtype == nullptr) {
    Py_XDECREF(shape);
    Py_XDECREF(dtype);
    Py_DECREF(node);
    return nullptr;
  }
  slot(node, node_slots.shape) = shape;
  slot(node, node_slots.dtype) = dtype;
  slot(node, node_slots.edges) = borrowed(edges);
  slot(node, node_slots.saved) = borrowed(saved);
  slot(node, node_slots.order) = next_order(nullptr, nullptr);
  slot(node, node_slots.extras) = borrowed(Py_None);
  slot(node, node_slots.site) = site(nullptr, nullptr);
  return node;
}

// A tensor over `array`; takes the references to the edge and the counter.
PyObject* make_tensor(PyObject* array, PyObject* edge, PyObject* counter) {
  if (counter == nullptr) {
    Py_DECREF(edge);
    return nullptr;
  }
  PyObject* tensor = tensor_type->tp_alloc(tensor_type, 0);
  if (tensor == nullptr) {
    Py_DECREF(edge);
    Py_DECREF(counter);
    return nullptr;
  }
  slot(tensor, tensor_slots.array) = borrowed(array);
  slot(tensor, tensor_slots.edge) = edge;
  slot(tensor, tensor_slots.counter) = counter;
  slot(tensor, tensor_slots.view) = borrowed(Py_None);
  return tensor;
}

// In how many threads inference mode is on, and what then gives a new tensor its counter.
int inference_blocks = 0;
PyObject* inference_counter = nullptr;

PyObject* first_version() {
  if (inference_blocks > 0) return PyObject_CallNoArgs(inference_counter);
  PyObject* counter = PyList_New(1);
  if (counter != nullptr) PyList_SET_ITEM(counter, 0, PyLong_FromLong(0));
  return counter;
}

bool takes(Py_ssize_t count, Py_ssize_t wanted, const char* name) {
  if (count == wanted) return true;
  PyErr_Format(PyExc_TypeError, "%s() takes %zd arguments, got %zd", name, wanted, count);
  return false;
}

PyObject* wrap(PyObject*, PyObject* array) {
  return make_tensor(array, borrowed(Py_None), first_version());
}

PyObject* new_node(PyObject*, PyObject* const* args, Py_ssize_t count) {
  return takes(count, 4, "new_node") ? make_node(args[0], args[1], args[2], args[3]) : nullptr;
}

PyObject* record(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (!takes(count, 5, "record")) return nullptr;
  PyObject* node = make_node(args[0], args[1], args[2], args[3]);
  if (node == nullptr) return nullptr;
  PyObject* edge = PyTuple_New(2);
  PyTuple_SET_ITEM(edge, 0, node);
  PyTuple_SET_ITEM(edge, 1, PyLong_FromLong(0));
  return make_tensor(args[1], edge, args[4] == Py_None ? first_version() : borrowed(args[4]));
}

// ---- The order of a backward pass ----

struct Reached {
  std::vector<std::pair<long long, PyObject*>> nodes;  // with their order
  std::unordered_map<PyObject*, long> leaves;          // with the number of edges into them
};

// Every node that the roots lead to. Nothing is recursive: a graph may be as deep as memory allows.
Reached reach(PyObject* roots) {
  Reached found;
  std::unordered_set<PyObject*> seen;
  std::vector<PyObject*> stack;
  const auto visit = [&](PyObject* node) {
    if (!seen.insert(node).second) return;
    stack.push_back(node);
    found.nodes.emplace_back(PyLong_AsLongLong(slot(node, node_slots.order)), node);
  };
  const auto follow = [&](PyObject* node, long uses) {
    if (PyTuple_GET_SIZE(slot(node, node_slots.edges)) > 0) return visit(node);
    found.leaves[node] += uses;
  };
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(roots); ++i) follow(PyList_GET_ITEM(roots, i), 0);
  while (!stack.empty()) {
    PyObject* edges = slot(stack.back(), node_slots.edges);
    stack.pop_back();
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(edges); ++i) {
      PyObject* edge = PyTuple_GET_ITEM(edges, i);
      if (edge != Py_None) follow(PyTuple_GET_ITEM(edge, 0), 1);
    }
  }
  return found;
}

PyObject* execution_order(PyObject*, PyObject* roots) {
  if (!PyList_Check(roots)) {
    PyErr_SetString(PyExc_TypeError, "execution_order() takes a list of nodes");
    return nullptr;
  }
  Reached found = reach(roots);
  std::sort(found.nodes.begin(), found.nodes.end());
  PyObject* order = PyList_New(0);
  for (const auto& [leaf, uses] : found.leaves) {
    if (uses == 0) PyList_Append(order, leaf);
  }
  for (const auto& [position, node] : found.nodes) {
    PyList_Append(order, node);
    PyObject* edges = slot(node, node_slots.edges);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(edges); ++i) {
      PyObject* edge = PyTuple_GET_ITEM(edges, i);
      if (edge == Py_None) continue;
      const auto leaf = found.leaves.find(PyTuple_GET_ITEM(edge, 0));
      if (leaf != found.leaves.end() && --leaf->second == 0) PyList_Append(order, leaf->first);
    }
  }
  return order;
}

// Plain C functions: pybind11's dispatcher would cost more than they do.
PyMethodDef kFunctions[] = {
    {"site", site, METH_NOARGS,
     "site() -> tuple | None\n\nThe code object and the instruction of the innermost caller "
     "outside "
     "of the package."},
    {"next_order", next_order, METH_NOARGS,
     "next_order() -> int\n\nMinus the position of an operation in the order of recording."},
    {"wrap", wrap, METH_O, "wrap(array) -> object\n\nA tensor outside of any graph."},
    {"new_node", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(new_node)),
     METH_FASTCALL,
     "new_node(type, array, edges, saved) -> object\n\nA node of the output `array`."},
    {"record", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(record)), METH_FASTCALL,
     "record(type, array, edges, saved, counter) -> object\n\nThe result of a recorded operation."},
    {"execution_order", execution_order, METH_O,
     "execution_order(roots) -> list\n\nThe nodes that the roots lead to: the latest "
     "operation "
     "first, a leaf as soon as all that lead to it are done."},
};

}  // namespace

void bind_graph(py::module_& m) {
  for (PyMethodDef& function : kFunctions) {
    m.add_object(function.ml_name,
                 py::reinterpret_steal<py::object>(PyCFunction_New(&function, nullptr)));
  }
  m.def(
      "set_library", [](const std::string& folder) { library() = folder; }, py::arg("folder"),
      "Names the folder whose frames `site` passes over.");
  m.def(
      "watch_inference",
      [](int blocks, const py::function& counter) {
        inference_blocks = blocks;
        Py_XSETREF(inference_counter, borrowed(counter.ptr()));
      },
      py::arg("blocks"), py::arg("counter"),
      "While `blocks` is not 0, `counter` gives new tensors their version counter.");
  m.def("set_tensor", &set_tensor, py::arg("type"), "Names the class that `wrap` makes.");
  m.def("set_node", &set_node, py::arg("type"), "Names the base class of nodes.");
}

}  // namespace rush
