"use strict";
// Asks the browser for a passkey, or to make one, and sends its answer to this page's own address.
(() => {
  const place = document.getElementById("passkey");
  const button = document.getElementById("go");
  const said = document.getElementById("said");
  const kind = place.dataset.kind;

  const bytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
  const text = (buffer) =>
    btoa(Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join(""))
      .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const named = (list) => (list || []).map((one) => ({ ...one, id: bytes(one.id) }));

  const say = (sentence, isGood) => {
    said.textContent = sentence;
    said.className = isGood ? "good-news" : "warning";
  };

  const makeOne = async (options) => {
    const made = await navigator.credentials.create({
      publicKey: {
        ...options,
        challenge: bytes(options.challenge),
        user: { ...options.user, id: bytes(options.user.id) },
        excludeCredentials: named(options.excludeCredentials),
      },
    });
    return {
      id: text(made.rawId),
      clientDataJSON: text(made.response.clientDataJSON),
      attestationObject: text(made.response.attestationObject),
      label: document.getElementById("label").value,
    };
  };

  const signWithOne = async (options) => {
    const signed = await navigator.credentials.get({
      publicKey: {
        ...options,
        challenge: bytes(options.challenge),
        allowCredentials: named(options.allowCredentials),
      },
    });
    return {
      id: text(signed.rawId),
      clientDataJSON: text(signed.response.clientDataJSON),
      authenticatorData: text(signed.response.authenticatorData),
      signature: text(signed.response.signature),
    };
  };

  const words = JSON.parse(place.dataset.words);
  const whyNot = (name) => words[`${kind}:${name}`] || words[name];

  const send = async (answer) => {
    const response = await fetch(location.href, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(answer),
    });
    const read = await response.json().catch(() => ({}));
    if (!response.ok) throw new Error(read.error || words.status.replace("{status}", response.status));
    return read.said;
  };

  const go = async () => {
    button.disabled = true;
    say("", true);
    try {
      const options = JSON.parse(place.dataset.options);
      const answer = await (kind === "get" ? signWithOne : makeOne)(options);
      say(await send(answer), true);
      button.hidden = true;
    } catch (trouble) {
      say(whyNot(trouble.name) || trouble.message || String(trouble), false);
      button.disabled = false;
    }
  };

  if (!window.PublicKeyCredential || !navigator.credentials) {
    document.getElementById("unable").hidden = false;
    button.disabled = true;
    return;
  }
  button.addEventListener("click", go);
})();
