"""`python -m models.linked_objects` prints the rendered classes as a link table to begin one of your own with."""

from models.linked_objects.catalogue import CATALOGUE
from models.linked_objects.link_table import link_table_text

if __name__ == "__main__":
    print(link_table_text(CATALOGUE), end="")
