// Hands a passkey's answer to the form it belongs to. Where the browser knows no passkeys, nothing is shown.
'use strict';
for (const form of document.querySelectorAll('form[data-passkey]')) {
  const making = form.dataset.passkey === 'make';
  const known = window.PublicKeyCredential;
  const parse = known && (making ? known.parseCreationOptionsFromJSON : known.parseRequestOptionsFromJSON);
  if (!parse) continue;
  form.hidden = false;
  const status = form.querySelector('[role=status]');
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    status.textContent = '';
    try {
      const publicKey = parse.call(known, JSON.parse(form.dataset.options));
      const answer = making
        ? await navigator.credentials.create({ publicKey })
        : await navigator.credentials.get({ publicKey });
      form.elements.credential.value = JSON.stringify(answer.toJSON());
      form.submit();
    } catch {
      status.textContent = 'No passkey was used. You can try again.';
    }
  });
}
