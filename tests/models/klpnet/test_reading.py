import numpy as np

from models.klpnet.reading import _LINKED, with_table


def test_the_table_says_which_are_linked_and_the_graph_how_surely():
    chain = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]])
    graph = np.array([[0.0, 0.1, 0.9], [0.1, 0.0, 0.6], [0.9, 0.6, 0.0]])
    links = with_table(graph, chain)
    assert np.array_equal(links >= _LINKED, chain.astype(bool)) and np.array_equal(links, links.T)
    assert links[1, 2] > links[0, 1] > links[0, 2]
