// Shows the OpenAPI document named by the page, light or dark as the reader's system is.
"use strict";

const page = document.getElementById("docs");
const note = document.getElementById("note");
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

// What the description says may be sent to sign in, as the header that sends it.
function credentials(authorized) {
  const headers = {};
  for (const { schema, value } of Object.values(authorized)) {
    if (schema.type === "apiKey" && schema.in === "header") headers[schema.name] = value;
    if (schema.type !== "http") continue;
    const basic = () => btoa(`${value.username}:${value.password}`);
    headers.Authorization = schema.scheme === "basic" ? `Basic ${basic()}` : `Bearer ${value}`;
  }
  return headers;
}

// The description holds what its reader may call, so somebody else is shown another one.
async function describe(system) {
  const headers = credentials(system.authSelectors.authorized().toJS());
  const answer = await fetch(page.dataset.document, { headers });
  if (answer.ok) {
    system.specActions.updateSpec(await answer.text());
  } else {
    note.textContent = "The server does not accept these credentials: Authorize again.";
  }
}

function tell(description, system) {
  const isSignedIn = system.authSelectors.authorized()?.size > 0;
  note.hidden = !Object.keys(description.components?.securitySchemes ?? {}).length;
  note.textContent = isSignedIn
    ? "This is what you may call."
    : "This is what anyone may call. Authorize: what you may call beyond that appears too.";
}

function SignedIn() {
  const andDescribe = (original, system) => (given) => {
    const result = original(given);
    describe(system);
    return result;
  };
  const updateJsonSpec = (original, system) => (description) => {
    tell(description, system);
    return original(description);
  };
  // Where credentials are optional, a closed padlock would say that some are in use.
  const isAuthorized = (original) => (state, ways) =>
    original(ways?.filter((way) => way.size > 0));
  return {
    statePlugins: {
      auth: {
        wrapActions: { authorize: andDescribe, logout: andDescribe },
        wrapSelectors: { isAuthorized },
      },
      spec: { wrapActions: { updateJsonSpec } },
    },
  };
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
  plugins: [Brief, SignedIn],
});
