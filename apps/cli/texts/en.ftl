# Poterne, texts for people: English.
# An error says in two sentences what happened and what to do now.

## Errors

error-card-elsewhere = The card is made where the desk was made. Ask there for it.
error-card-invalid = This is not a whole card. Copy it again from where you got it, from “poterne:” to its last letter.
error-card-newer = This card is for a newer Poterne. Get the newer version and try again.
error-case-closed = This case is closed. Nothing more can be written in it; whoever needs help can ask again with the card.
error-case-stopped = Nothing was sent: a newer copy of this home has written in this case, or somebody else holds its keys. Go on with the newer home; if there is none, close the case, and the requester can ask anew.
error-case-unclaimed = You have not claimed this request. Take it with “poterne claim” first.
error-case-unknown = There is no such case here. Look at the list with “poterne status”.
error-conversation-closed = The volunteer has closed this conversation. If you still need help, begin anew with “poterne say --again”.
error-conversation-none = There is no conversation yet. Begin one with “poterne ask”, your card and your text.
error-conversation-unknown = There is no such conversation here. Look at the list with “poterne status”.
error-conversation-unnamed = There are several conversations: { $ids }. Name one with --to.
error-cover-too-early = There is no conversation that both sides have written in, or it is closed. A message that says nothing needs an open one.
error-desk-exists = There is a desk here already. Show its card with “poterne desk card”, or name another folder with --home.
error-desk-name-invalid = The desk's name is empty or too long. Give it one of at most 64 bytes, for volunteers to know it by.
error-desk-silent = The desk has given this computer no key for today. Ask those who run the desk.
error-file-empty = The file is empty. Choose another one.
error-file-room = The files that are here already fill their share of the vault. Save those that came with --save and a folder, or wait until your own are sent, then try again.
error-file-too-large = The file is too large. A file has at most 1 MiB, a photo at most 64 MiB before it is made smaller.
error-file-unreadable = { $path } can't be read: { $reason }. Check the path, and name a single file.
error-file-unsaved = Files can't be written into { $path }: { $reason }. What came is still in the vault; name another folder with --save.
error-fork = Somebody else writes with the keys of this conversation, so nothing was sent. If you still need help, begin anew with “poterne say --again”.
error-home-denied = { $path } can't be used: { $reason }. Check who owns it and whether the disk has room, or name another folder with --home.
error-home-in-use = Another Poterne is using { $path } just now. Wait until it has finished, or end it.
error-home-is-desk = This is the home of a desk, and desks don't ask for help. Name a folder of your own with --home.
error-home-is-requester = Conversations of your own are in this home, so it can't become a desk's. Name another folder with --home.
error-home-missing = There is nothing of yours in { $path } yet. Ask for help or make a desk first, or name the right folder with --home.
error-home-no-desk = There is no desk in this home. Make one with “poterne desk create”, or name the right folder with --home.
error-home-unnamed = There is no folder to keep things in. Name one with --home.
error-input-failed = The input can't be read: { $reason }. Give the command again.
error-interrupted = You broke off, and nothing was done. Give the command again when you are ready.
error-memory = This machine hasn't enough free memory to open the vault. Close other programs and try again.
error-output-failed = The answer could not be written: { $reason }. Nothing is lost; give the command again.
error-passphrase-differs = The two passphrases are not the same. Begin again and take your time.
error-passphrase-empty = The passphrase is empty. Type it, or check the file of --passphrase-file.
error-passphrase-missing = A passphrase is needed, and there is no terminal to ask at. Name a file with --passphrase-file.
error-passphrase-same = This passphrase opens this home already. Choose another one.
error-passphrase-short = A passphrase of your own needs { $letters } characters or more. Begin again with a longer one, or take the one that is offered.
error-passphrase-unreadable = The passphrase file { $path } can't be read: { $reason }. Check the path and who may read it.
error-passphrase-wrong = The vault does not open with this passphrase. Try again, and mind the keyboard layout and capital letters.
error-photo-broken = The photo is broken or cut off. Open it in a photo program, save it as JPEG, and send that.
error-photo-too-large = The photo has more pixels than can be read here. Make it smaller, or photograph again with fewer megapixels.
error-photo-unknown = Pictures of this kind can't be read here, and nothing is sent that could hold hidden details. Save it as JPEG or PNG, or send a screenshot of it.
error-queue-empty = No request waits. Look again later.
error-relay-invalid = This is not the address of a relay. It begins with “poterne-relay://” and has a port and a “#” with 22 letters behind it; copy it whole.
error-relay-unreachable = No relay could be reached. Check the network and try again later.
error-request-taken = Another volunteer has this request. Take another one with “poterne claim”; what you wrote is kept.
error-request-unknown = There is no such request in the queue. Look at the list with “poterne queue”.
error-rollback = This home is an older copy: a newer one has written in this conversation, so nothing was sent. Go on with the newer home, or begin anew with “poterne say --again”.
error-text-empty = There is no text. Write what you want to say behind the command, or give it on standard input.
error-text-too-long = The text is too long for one message. Send it in several parts.
error-text-unreadable = What came on standard input is not text in UTF-8. Save it as UTF-8 and try again.
error-unanswered = So much was sent without an answer that no more can be. What you wrote is kept, and goes out when an answer is there.
error-usage = { $message } Type “poterne --help” to see what can be said.
error-vault-damaged = A part of the vault is damaged. Make a copy of the folder before you do anything else, then try again.
error-vault-failed = The disk under the vault failed: { $reason }. Check the disk and its free space, then give the command again.
error-vault-full = The vault is full, and nothing was changed. Wipe this home when it is no longer needed, and go on in a new one.
error-vault-newer = A newer Poterne has written this vault. Use that version.
error-vault-unknown = The file that should be the vault is not one. Check --home; if it is right, put your copy of the folder back.
error-wipe-unconfirmed = Nothing was wiped. Give the command again and type the word that is asked for, or use --yes.

## Reasons inside errors

reason-gone = whoever was to read it has gone
reason-large = the file is too large
reason-folder = it is a folder
reason-missing = it is not there
reason-denied = permission is missing
reason-full = the disk is full
reason-taken = the name is taken
reason-no-file = it is neither a file nor a folder
reason-read-only = the disk can only be read

## Passphrases and questions

passphrase-ask = { "Passphrase: " }
passphrase-offer =
    What you write and get is kept in an encrypted vault on this computer. Nobody can open it without its passphrase, you neither: it can't be sent to you or reset. This one was made for you:
    
    { "    " }{ $passphrase }
    
    Learn it, or write it down where nobody looks, and press Enter to take it.
    Or type one of your own, of { $letters } characters or more.
    { "" }
passphrase-choose = { "Passphrase (Enter takes the one above): " }
passphrase-again = { "The same once more: " }
passphrase-added = The passphrase opens a home of its own in the same vault, and it is empty. Use it now and then, so that it looks lived in; nothing in it tells of this one.
passphrase-burns = The passphrase opens a home of its own in the same vault. The first time that it is used, everything else in the vault is overwritten without a word, this home too.
passphrase-changed = From now on only the new passphrase opens this home. A copy of the vault that was made before still opens with the old one.
text-hint = Write your text, then end it with Ctrl-D on a line of its own.
shell-hint = Type “help” to see what can be said, and Ctrl-D to end.
wipe-ask =
    Everything in { $path } will be gone for ever: the messages, the keys, the way to be reached.
    Copies that were made of it, and some kinds of disks, may keep older states.
    Type “{ $word }” to go on:{ " " }
wipe-word = wipe
wiped = The vault was overwritten and removed. Copies that you or your system made elsewhere are not touched.

## Time

ago = { $age } ago
just-now = just now
age-minutes = { $count ->
    [one] { $count } minute
   *[other] { $count } minutes
}
age-hours = { $count ->
    [one] { $count } hour
   *[other] { $count } hours
}
age-days = { $count ->
    [one] { $count } day
   *[other] { $count } days
}

## Those who ask for help

ask-stored = Your request lies sealed at a relay. A volunteer will find it there; look for the answer with “poterne inbox”.
ask-queued = Your request is kept here and is not sent yet. Any later command sends it, for example “poterne inbox”.
cover-stored = Sent: a message that says nothing. Nobody is shown it.
say-stored = Sent. It lies sealed at a relay until it is fetched.
say-queued = Kept here, and not sent yet. Any later command sends it, for example “poterne inbox”.

## Conversations

from-you = You
from-requester = Requester
from-volunteer = Volunteer
file-photo = photo
file-other = file
file-arriving = { $done } of { $of } parts are here
file-complete = here; save it with --save and a folder
file-damaged = damaged on its way; ask for it again if it does not come
file-expired = not all of it came in time; ask for it again
file-no-room = waits at a relay, since there is no room; save the other files first
file-removed = saved before
file-saved = saved as { $path }
file-saved-before = saved before
file-sending = { $done } of { $of } parts are sent
file-stored = sent
progress-files = Files
message-newer = (This message needs a newer version of Poterne.)
message-unchecked = not yet checked who wrote it
no-messages = No messages yet.
state-queued = not sent yet
state-stored = waits at a relay
state-claimed = a volunteer has it
state-answered = answered
state-read = read
state-expired = expired

## How things stand

status-conversations = Your conversations, each with how far your newest text has come:
status-no-conversations = No conversation yet.
status-cases = Your cases, each with how far your newest text has come:
status-no-cases = No case yet.
status-waiting = { $count ->
    [0] No request waits.
    [one] { $count } request waits.
   *[other] { $count } requests wait.
}
status-relays = Relays:
standing-claimed = claimed, not answered yet
standing-closed = closed
standing-stopped = stopped
relay-reached = answers
relay-unreached = does not answer

## Warnings

warning-another-volunteer = Another volunteer answers now.
warning-case-stopped = This case has come to a full stop: a newer copy of this home has written in it, or somebody else holds its keys. Go on with the newer home, or close the case.
warning-clock-off = The clock of this machine is { $days ->
    [one] { $days } day
   *[other] { $days } days
} off, so nothing can be sent. Set it; if you can't, give the command again with --believe-relays-clock.
warning-closed = The volunteer has closed this conversation.
warning-fork = Somebody else writes with the keys of this conversation. Nothing more is sent in it; begin anew with “poterne say --again”.
warning-few-notices = Requesters will find this desk for { $days ->
    [one] { $days } day
   *[other] { $days } days
} more only. Any command that reaches a relay publishes the next days.
warning-missing = A message is missing so far, though a later one is here. It may still come; if it does not, another copy of this home has fetched it, or it was lost: ask for it again.
warning-notice = What the relays show as the desk's notice is not genuine, or too old. Nothing is sent before a genuine one is there.
warning-price = A relay takes nothing without payment now. Your texts are kept here and tried again.
warning-foreign-notice = A relay shows requesters a notice that this desk did not make. Do not answer new requests before whoever runs the desk has looked into it.
warning-log-taken = A relay refuses to open the notice log of a coming day: somebody with the card may have opened it first. Requesters find that day's notice at the other relays; ask its operator for permits.
warning-missing-notice = A relay does not show a notice that this desk has published there. It is published again; if this stays, leave that relay.
warning-refused = A relay refuses to open what this desk needs. It may want a permit: ask its operator.
warning-relay-wrong = What answers at a relay's address is not the relay that belongs there, so it was given nothing. Try another network; if that does not help, ask those who gave you the card or the address.
warning-rollback = This home is an older copy: a newer one has written in this conversation. Nothing more is sent in it; begin anew with “poterne say --again”.
warning-unanswered = So much was sent without an answer that no more can be. Wait for the answer.
warning-unchecked = An answer is there, but who wrote it can't be checked yet. Nothing is sent until it is.
warning-unreached = Not every relay could be reached. There may be more there.

## Those who answer

card-hint = Whoever has this card can write to the desk. Give it to those who may need help, by any way that suits them.
desk-open = The desk is open. This is its card:
desk-waits = The desk is made, but no relay has answered yet. Any later command opens it, for example “poterne queue”. This is its card:
queue-none = No request waits.
queue-hint = Take one with “poterne claim” and its id, or the oldest with “poterne claim” alone.
request-incomplete = (The text goes on; the rest has not come yet.)
request-newer = (It was written with a newer Poterne, and something in it may not be shown. Get the newer version.)
claimed = This is case { $case }. The request is yours for { $time }: answer with “poterne reply”, or give it back with “poterne release”.
released = The request is back in the queue.
closed = The case is closed, and the other side is told.
closed-queued = The case is closed. The other side is told as soon as a relay can be reached.
