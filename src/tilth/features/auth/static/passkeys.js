// Passkeys on the pages of accounts. What needs this script is hidden until it runs in a browser that can.
"use strict";

(() => {
  const forms = [...document.querySelectorAll("form[data-passkey]")];
  if (!forms.length || !window.PublicKeyCredential) return;

  const RENEWED_MILLISECONDS = 9 * 60 * 1000;
  let waiting = null;

  const bytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (each) => each.charCodeAt(0));

  const text = (buffer) =>
    btoa(Array.from(new Uint8Array(buffer), (each) => String.fromCharCode(each)).join(""))
      .replace(/\+/g, "-")
      .replace(/\//g, "_")
      .replace(/=+$/, "");

  const known = (list) => list && list.map((each) => ({ ...each, id: bytes(each.id) }));

  const optionsFrom = (told) => {
    const options = { ...told, challenge: bytes(told.challenge) };
    if (told.user) options.user = { ...told.user, id: bytes(told.user.id) };
    if (told.excludeCredentials) options.excludeCredentials = known(told.excludeCredentials);
    if (told.allowCredentials) options.allowCredentials = known(told.allowCredentials);
    return options;
  };

  const written = ({ id, rawId, type, response }) => {
    const names = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
    const shown = {};
    for (const name of names) if (response[name]) shown[name] = text(response[name]);
    if (response.getTransports) shown.transports = response.getTransports();
    return JSON.stringify({ id, rawId: text(rawId), type, response: shown });
  };

  const asked = async (form, signal) => {
    const flow = form.elements.flow.value;
    return fetch(form.dataset.options, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(flow ? { flow } : {}),
      signal,
    });
  };

  // Only one request can wait in a page at a time.
  const begin = async (form, mediation) => {
    if (waiting) waiting.abort();
    const mine = (waiting = new AbortController());
    const answer = await asked(form, mine.signal);
    // The page that comes then says what has to be proved first.
    if (answer.status === 401) return form.submit();
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.detail);
    const credential = await navigator.credentials[form.dataset.passkey]({
      publicKey: optionsFrom(told.publicKey),
      signal: mine.signal,
      ...mediation,
    });
    form.elements.flow.value = told.flow;
    form.elements.credential.value = written(credential);
    form.submit();
  };

  const reasons = {
    NotAllowedError: "It was cancelled, or took too long. Try again.",
    InvalidStateError: "This device has a passkey for this account already.",
  };

  const tell = (form, error) => {
    const place = form.querySelector("[role=alert]");
    place.textContent = reasons[error.name] || error.message;
    place.hidden = false;
  };

  // Where the name is typed, passkeys are offered. Challenges end, so a page that stays open asks anew.
  const offer = async (form) => {
    if (!("offered" in form.dataset) || !PublicKeyCredential.isConditionalMediationAvailable) return;
    if (!(await PublicKeyCredential.isConditionalMediationAvailable())) return;
    const again = () => begin(form, { mediation: "conditional" }).catch(() => {});
    again();
    const renewed = setInterval(again, RENEWED_MILLISECONDS);
    form.addEventListener("submit", () => clearInterval(renewed), { once: true });
  };

  for (const form of forms) {
    const { rp } = form.dataset;
    form.hidden = false;
    if (location.hostname !== rp) {
      const port = location.port ? `:${location.port}` : "";
      const link = document.createElement("a");
      link.href = `${location.protocol}//${rp}${port}${location.pathname}`;
      link.textContent = link.href;
      const note = document.createElement("p");
      note.append("Passkeys work at ", link);
      form.replaceChildren(note);
      continue;
    }
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      begin(form).catch((error) => {
        // Another request has taken its place.
        if (error.name === "AbortError") return;
        tell(form, error);
        offer(form);
      });
    });
    offer(form);
  }
})();
