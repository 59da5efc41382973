// Shows the OpenAPI document named by the page, light or dark as the reader's system is.
"use strict";

const page = document.getElementById("docs");
const dark = matchMedia("(prefers-color-scheme: dark)");

function followSystem() {
  document.documentElement.classList.toggle("dark-mode", dark.matches);
}

// HEAD and OPTIONS work wherever GET does; listing them too would make the page three times as long.
function withoutEchoes(description) {
  const paths = {};
  for (const [path, { head, options, ...item }] of Object.entries(description.paths ?? {})) {
    paths[path] = item.get ? item : { ...item, ...(head && { head }), ...(options && { options }) };
  }
  return { ...description, paths };
}

function Brief() {
  const updateJsonSpec = (original) => (description) => original(withoutEchoes(description));
  return { statePlugins: { spec: { wrapActions: { updateJsonSpec } } } };
}

followSystem();
dark.addEventListener("change", followSystem);

window.ui = SwaggerUIBundle({
  url: page.dataset.document,
  domNode: page,
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  validatorUrl: null,
  plugins: [Brief],
});
