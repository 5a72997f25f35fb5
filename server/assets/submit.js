// Sends the one form of a hand-over page at once. Without scripts the page's button does the same.
document.forms[0].submit();
