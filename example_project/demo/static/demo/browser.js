// What this browser keeps: the device tokens of numbers that were verified in it. With ?browser=2 the page is another browser.

const browser = new URLSearchParams(location.search).get("browser") ?? "1";
const place = (number) => `device of ${number} in browser ${browser}`;

export const deviceOf = (number) => localStorage.getItem(place(number)) ?? "";
export const keepDevice = (number, token) => localStorage.setItem(place(number), token);
