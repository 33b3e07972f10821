/* The buttons above a form act on what is stored: they ask first where something was changed in the form and not saved. */
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const panel = document.querySelector("[data-smsverify-unsaved]");
  const form = document.querySelector("form[id$=_form]");
  if (!panel || !form) return;
  let isChanged = false;
  for (const event of ["input", "change"]) form.addEventListener(event, () => { isChanged = true; });
  panel.addEventListener("submit", (event) => {
    if (isChanged && !window.confirm(panel.dataset.smsverifyUnsaved)) event.preventDefault();
  });
});
