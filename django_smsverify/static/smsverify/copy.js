/* Buttons that copy the text of a field: <button data-smsverify-copy="id of the field" hidden>. They are shown only where
   the browser can do it. */
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  for (const button of document.querySelectorAll("[data-smsverify-copy]")) {
    const field = document.getElementById(button.dataset.smsverifyCopy);
    field.addEventListener("focus", () => field.select());
    button.hidden = false;
    button.addEventListener("click", async () => {
      field.select();
      try {
        await navigator.clipboard.writeText(field.value);
      } catch {
        document.execCommand("copy"); // a page without https has no clipboard
      }
      button.textContent = button.dataset.smsverifyDone;
    });
  }
});
