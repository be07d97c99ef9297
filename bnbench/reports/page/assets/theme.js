"use strict";
// Light or dark: the system's wish until the button is pressed. Charts are told by the event `themechange`.

const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
const themeButton = document.getElementById("theme");
let printing = false;

function isDark() {
  if (printing) return false; // paper is white
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : systemIsDark.matches;
}

function nameButton() {
  themeButton.textContent = isDark() ? "Light" : "Dark";
}

function showTheme() {
  nameButton();
  document.dispatchEvent(new Event("themechange"));
}

themeButton.addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  showTheme();
});
systemIsDark.addEventListener("change", showTheme);
nameButton();
