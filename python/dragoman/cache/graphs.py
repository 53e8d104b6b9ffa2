"""Graphs of neighbours, for namespaces with so many questions that looking at each of them takes too long.

Exact search takes a time that grows with the rows, hnswlib's hardly; see ``benches/README.md`` for where they cross. A
graph only proposes: what it names is looked up among the rows that there are (:meth:`SemanticIndex.find_among`), so
that a question that was forgotten is never found. It is built and added to by a thread of its own; until a question is
in it, that question is looked at beside what the graph names. Where hnswlib is not installed, all search is exact.

The vector of a question that was forgotten stays in the graph, unseen, until a quarter of it is such.
"""

from __future__ import annotations

import logging
from importlib import import_module
from importlib.util import find_spec
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dragoman.core import SemanticIndex

log = logging.getLogger("dragoman.cache")

# A namespace with so many questions gets a graph, and keeps it while it has half as many. From 10,000 on a graph is no
# slower; from here on it is so much quicker that it is worth what adding to it takes.
GRAPH_ROWS = 20_000
# How many neighbours a row has, how far it looks for them, and how far a search looks: see hnswlib's ALGO_PARAMS.md.
NEIGHBOURS, BUILD_REACH, SEARCH_REACH = 16, 100, 64
PROPOSED = 12
# What is built in one go between two looks at whether it is still wanted, in rows.
STEP_ROWS = 64
# Of room for rows beyond those there are, and of rows that are gone before the graph is built anew.
SPARE_SHARE = 0.25


class Graph:
    """One namespace's."""

    def __init__(self, dimensions: int, room: int) -> None:
        """:param room: how many rows it takes."""
        self._numpy = import_module("numpy")
        self._graph: Any = import_module("hnswlib").Index("ip", dimensions)
        self._graph.init_index(room, M=NEIGHBOURS, ef_construction=BUILD_REACH, random_seed=1)
        self._graph.set_ef(max(SEARCH_REACH, PROPOSED))
        self._lock = Lock()  # hnswlib's own is no guard for searching beside adding
        self._room = room
        self._ids: list[bytes] = []
        self._known: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, id_: bytes) -> bool:
        return id_ in self._known

    def add(self, ids: list[bytes], vectors: bytes) -> bool:
        """Add rows. False: there is no room.

        :param vectors: one behind the other, in signed bytes.
        """
        first = len(self)
        if first + len(ids) > self._room:
            return False
        rows = self._numpy.frombuffer(vectors, self._numpy.int8).reshape(len(ids), -1).astype(self._numpy.float32)
        rows /= self._numpy.linalg.norm(rows, axis=1, keepdims=True)
        self._ids += ids
        self._known.update(ids)
        with self._lock:
            self._graph.add_items(rows, range(first, len(self)), num_threads=1)
        return True

    def near(self, vector: list[float]) -> list[bytes]:
        """The ids of rows that are near; of some that are gone as well."""
        query = self._numpy.asarray(vector, self._numpy.float32)
        with self._lock:
            labels, _ = self._graph.knn_query(query, min(PROPOSED, self._graph.get_current_count()), num_threads=1)
        return [self._ids[label] for label in labels[0]]


class Graphs:
    """All namespaces'."""

    def __init__(self, index: SemanticIndex) -> None:
        self._index = index
        self._ready: dict[bytes, Graph] = {}
        self._pending: dict[bytes, dict[bytes, None]] = {}  # by namespace that has a graph, or is to have one
        self._work: SimpleQueue[tuple[bytes, bytes] | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._closed = False
        self._installed = find_spec("hnswlib") is not None

    def added(self, namespace: bytes, id_: bytes) -> None:
        """A question has been added to the index."""
        pending = self._pending.get(namespace)
        if pending is None:
            few = namespace not in self._ready and self._index.count(namespace) < GRAPH_ROWS
            if few or self._closed or not self._begun():
                return
            pending = self._pending[namespace] = {}
        pending[id_] = None
        self._work.put((namespace, id_))

    def near(self, namespace: bytes, vector: list[float]) -> list[bytes] | None:
        """The ids that may be near; ``None``: there is no graph, so that all have to be looked at."""
        graph = self._ready.get(namespace)
        if graph is None or self._dropped(namespace):
            return None
        pending = list(self._pending.get(namespace, ()))  # before the graph: what it gets meanwhile is in one of them
        try:
            return [*graph.near(vector), *pending]
        except RuntimeError:  # hnswlib finds fewer than it was asked for
            return None

    def has(self, namespace: bytes) -> bool:
        """Whether there is a graph of a namespace."""
        return namespace in self._ready

    def close(self) -> None:
        """Build no more."""
        self._closed = True
        self._work.put(None)
        if self._thread is not None:
            self._thread.join()

    def _begun(self) -> bool:
        if not self._installed:
            return False
        if self._thread is None:
            self._thread = Thread(target=self._build_all, name="graphs", daemon=True)
            self._thread.start()
        return True

    def _dropped(self, namespace: bytes) -> bool:
        """Whether there is no graph any more, since few questions are left."""
        if self._index.count(namespace) >= GRAPH_ROWS // 2:
            return False
        self._ready.pop(namespace, None)
        self._pending.pop(namespace, None)
        return True

    def _build_all(self) -> None:
        """The thread: one question after the other."""
        while (job := self._work.get()) is not None and not self._closed:
            namespace, id_ = job
            if namespace not in self._pending or self._dropped(namespace):
                continue
            try:
                self._take_in(namespace, id_)
            except (ImportError, MemoryError, RuntimeError) as error:  # hnswlib's own errors are RuntimeErrors
                log.error("no graph of questions can be built, so all of them are looked at: %s", error)
                self._installed = False
                self._ready.clear()
                self._pending.clear()
                return

    def _take_in(self, namespace: bytes, id_: bytes) -> None:
        graph, vector = self._ready.get(namespace), self._index.vector(id_)
        if vector is not None and (graph is None or id_ not in graph):
            stale = graph is not None and len(graph) * (1 - SPARE_SHARE) > self._index.count(namespace)
            if graph is None or stale or not graph.add([id_], vector):
                built = self._built(namespace)
                if built is None:
                    return
                self._ready[namespace] = built
        self._pending.get(namespace, {}).pop(id_, None)

    def _built(self, namespace: bytes) -> Graph | None:
        """A graph of what a namespace holds now; ``None``: it is not wanted any more."""
        ids, vectors = self._index.vectors(namespace)
        dimensions = len(vectors) // max(1, len(ids))
        graph = Graph(dimensions, int(len(ids) * (1 + SPARE_SHARE)) + 1)
        for at in range(0, len(ids), STEP_ROWS):
            if self._closed:
                return None
            end = at + STEP_ROWS
            graph.add(ids[at:end], vectors[at * dimensions : end * dimensions])
        return graph
