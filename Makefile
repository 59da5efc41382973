# Needs make and Python 3.11 or newer with venv and pip; everything else is installed into .venv.
BIN := .venv/bin
# What `make demo` needs is installed first and alone, so that a first look is quick.
READY := .venv/.ready
TOOLS := .venv/.tools
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet
# Where `make demo` listens.
PORT ?= 8000
# Test processes at once, one more than two cores are: they often wait. Each has its own PostgreSQL server.
WORKERS ?= 3
UV ?= uv
READS = $(addprefix tests/stories/test_read_,filters.py lists.py cursors.py policies.py exports.py) \
	tests/stories/test_events.py tests/stories/test_hypermedia.py
WRITES = $(addprefix tests/stories/test_write_,rows.py matrix.py bad_input.py references.py policies.py batch.py)
SETS = $(addprefix tests/scopes/test_,contract_sync.py contract_async.py changes.py loading.py policies.py events.py \
	large_sets.py)
# What differs there: longer texts than a column holds, how a plan is written, how deep JSON may be, databases
# of others, and how many statements a batch takes. test_write_many.py is left out: of the connections
# of its eight applications some are not closed, of which aiomysql warns in whatever test comes next.
CURSORS = tests/stories/test_read_cursors.py
BATCHES = tests/stories/test_write_batch.py
DIFFERS = $(CURSORS)::test_value_too_long_for_a_cursor_is_passed_by_offset \
	$(CURSORS)::test_page_without_a_way_back_still_leads_on \
	tests/scopes/test_changes.py::test_a_plan_is_that_of_the_database \
	tests/stories/test_hypermedia.py::test_row_without_a_key_has_no_address \
	$(BATCHES)::test_references_make_no_body_deeper_than_one_may_be \
	$(BATCHES)::test_statements_grow_by_those_of_each_operation
MARIADB_TESTS = tests/mariadb $(READS) $(WRITES) $(SETS) $(addprefix --deselect ,$(DIFFERS))
LOCK = $(UV) pip compile pyproject.toml --all-extras --group build --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock" --quiet

.PHONY: help setup demo test test-mariadb check bench bench-quick bench-lock docs lock clean

help:
	@echo "make demo   serve the example application with sample data (PORT=8001 for another port)"
	@echo "make test   every test, on SQLite and PostgreSQL"
	@echo "make test-mariadb  what also works on MariaDB, on a server that is installed"
	@echo "make check  format, lint, types, import walls, house rules"
	@echo "make docs   links and code blocks of README and docs"
	@echo "make bench  measure Tilth beside its peers, its growth and its start-up (half an hour)"
	@echo "make bench-quick  a look at each, in under two minutes"
	@echo "make setup  only install into .venv"
	@echo "make lock   renew the locked dependencies (needs uv)"
	@echo "make clean  remove .venv and caches"

setup: $(TOOLS)

demo: $(READY)
	$(BIN)/tilth dev examples/heroes/app.py --port $(PORT)

test: $(TOOLS)
	$(BIN)/pytest -n $(WORKERS)

# Skipped, and said so, where there are no programs of MariaDB.
test-mariadb: $(TOOLS)
	TEST_DATABASES=mariadb $(BIN)/pytest -n $(WORKERS) -rs $(MARIADB_TESTS)

check: $(TOOLS)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest tests/house

# The bench starts PostgreSQL as the tests do, so it needs their tools.
bench: $(TOOLS)
	$(BIN)/python bench/compare.py
	$(BIN)/python bench/stages.py
	$(BIN)/python bench/signed_in.py
	$(BIN)/python bench/growth.py
	$(BIN)/python bench/startup.py

bench-quick: $(TOOLS)
	$(BIN)/python bench/compare.py --quick
	$(BIN)/python bench/signed_in.py
	$(BIN)/python bench/startup.py --quick

bench-lock:
	@for folder in bench/peers/*/; do \
		test ! -f $$folder/requirements.in || (cd $$folder && $(UV) pip compile requirements.in \
			--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
			--custom-compile-command "make bench-lock" --quiet --upgrade --output-file requirements.lock); \
	done

docs: $(TOOLS)
	$(BIN)/pytest tests/docs

lock:
	@command -v $(UV) >/dev/null || { echo "make lock needs uv: pip install uv, or make lock UV=path/to/uv"; exit 1; }
	$(LOCK) --upgrade --output-file requirements.lock
	$(LOCK) --group dev --constraint requirements.lock --output-file requirements-dev.lock

clean:
	rm -rf .venv .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

# Done again when what is installed changes.
$(READY): requirements.lock pyproject.toml
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
		$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		echo "Installing into .venv with $$($$python --version) (once, about a minute)"; \
		test -x $(BIN)/python || $$python -m venv .venv; \
		exit $$?; \
	done; \
	echo "Tilth needs Python 3.11 or newer. Install it, or: make PYTHON=/path/to/python3"; exit 1
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(TOOLS): requirements-dev.lock $(READY)
	@echo "Installing test tools into .venv (once)"
	@$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@
