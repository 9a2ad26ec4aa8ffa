# Poterne, textes pour les personnes : français.
# Une erreur dit en deux phrases ce qui s'est passé et ce qu'il faut faire.

## Errors

error-card-elsewhere = La carte se fait là où le guichet a été créé. Demandez-la là-bas.
error-card-invalid = Cette carte n'est pas entière. Copiez-la de nouveau, de « poterne: » jusqu'à sa dernière lettre.
error-card-newer = Cette carte est pour une version plus récente de Poterne. Procurez-vous cette version et réessayez.
error-case-closed = Ce dossier est clos. On ne peut plus rien y écrire ; qui a besoin d'aide peut demander de nouveau avec la carte.
error-case-stopped = Rien n'a été envoyé : une copie plus récente de ce dossier personnel a écrit dans ce dossier, ou quelqu'un d'autre en a les clés. Continuez avec la plus récente ; s'il n'y en a pas, fermez le dossier, et la personne pourra redemander.
error-case-unclaimed = Vous n'avez pas pris cette demande. Prenez-la d'abord avec « poterne claim ».
error-case-unknown = Ce dossier n'existe pas ici. Voyez la liste avec « poterne status ».
error-conversation-closed = Le ou la bénévole a clos cette conversation. Si vous avez encore besoin d'aide, recommencez avec « poterne say --again ».
error-conversation-none = Il n'y a pas encore de conversation. Commencez-en une avec « poterne ask », votre carte et votre texte.
error-conversation-unknown = Cette conversation n'existe pas ici. Voyez la liste avec « poterne status ».
error-conversation-unnamed = Il y a plusieurs conversations : { $ids }. Nommez-en une avec --to.
error-cover-too-early = Il n'y a pas de conversation ouverte où les deux côtés ont écrit. Il en faut une pour un message qui ne dit rien.
error-desk-exists = Il y a déjà un guichet ici. Affichez sa carte avec « poterne desk card », ou nommez un autre dossier avec --home.
error-desk-name-invalid = Le nom du guichet est vide ou trop long. Donnez-lui-en un de 64 octets au plus, que les bénévoles reconnaissent.
error-desk-silent = Le guichet n'a donné aucune clé à cet ordinateur pour aujourd'hui. Demandez à celles et ceux qui le tiennent.
error-file-empty = Le fichier est vide. Choisissez-en un autre.
error-file-room = Les fichiers déjà présents remplissent leur part du coffre. Enregistrez ceux que vous avez reçus avec --save et un dossier, ou attendez que les vôtres soient envoyés, puis réessayez.
error-file-too-large = Le fichier est trop grand. Un fichier a au plus 1 Mio, une photo au plus 64 Mio avant d'être réduite.
error-file-unreadable = { $path } ne peut pas être lu : { $reason }. Vérifiez le chemin et nommez un seul fichier.
error-file-unsaved = Impossible d'écrire des fichiers dans { $path } : { $reason }. Ce que vous avez reçu est toujours dans le coffre ; indiquez un autre dossier avec --save.
error-fork = Quelqu'un d'autre écrit avec les clés de cette conversation, donc rien n'a été envoyé. Si vous avez encore besoin d'aide, recommencez avec « poterne say --again ».
error-home-denied = { $path } ne peut pas être utilisé : { $reason }. Vérifiez à qui il appartient et si le disque a de la place, ou nommez un autre dossier avec --home.
error-home-in-use = Un autre Poterne utilise { $path } en ce moment. Attendez qu'il ait fini, ou arrêtez-le.
error-home-is-desk = Ce dossier est celui d'un guichet, et un guichet ne demande pas d'aide. Nommez un dossier à vous avec --home.
error-home-is-requester = Ce dossier contient vos propres conversations et ne peut donc pas devenir celui d'un guichet. Nommez un autre dossier avec --home.
error-home-missing = Il n'y a encore rien à vous dans { $path }. Demandez d'abord de l'aide ou créez un guichet, ou nommez le bon dossier avec --home.
error-home-no-desk = Il n'y a pas de guichet dans ce dossier. Créez-en un avec « poterne desk create », ou nommez le bon dossier avec --home.
error-home-unnamed = Il n'y a pas de dossier où garder les choses. Nommez-en un avec --home.
error-input-failed = L'entrée ne peut pas être lue : { $reason }. Donnez de nouveau la commande.
error-interrupted = Vous avez interrompu, et rien n'a été fait. Donnez de nouveau la commande quand vous voudrez.
error-memory = Cette machine n'a pas assez de mémoire libre pour ouvrir le coffre. Fermez d'autres programmes et réessayez.
error-output-failed = La réponse n'a pas pu être écrite : { $reason }. Rien n'est perdu ; donnez de nouveau la commande.
error-passphrase-differs = Les deux phrases secrètes ne sont pas les mêmes. Recommencez et prenez votre temps.
error-passphrase-empty = La phrase secrète est vide. Tapez-la, ou vérifiez le fichier de --passphrase-file.
error-passphrase-missing = Il faut une phrase secrète, et il n'y a pas de terminal où la demander. Nommez un fichier avec --passphrase-file.
error-passphrase-same = Cette phrase secrète ouvre déjà ce dossier. Choisissez-en une autre.
error-passphrase-short = Une phrase secrète de votre choix doit avoir au moins { $letters } caractères. Recommencez avec une plus longue, ou prenez celle qui est proposée.
error-passphrase-unreadable = Le fichier { $path } de la phrase secrète ne peut pas être lu : { $reason }. Vérifiez le chemin et qui peut le lire.
error-passphrase-wrong = Le coffre ne s'ouvre pas avec cette phrase secrète. Réessayez, en faisant attention au clavier et aux majuscules.
error-photo-broken = La photo est abîmée ou incomplète. Ouvrez-la dans un logiciel de photos, enregistrez-la en JPEG et envoyez le résultat.
error-photo-too-large = La photo a plus de pixels qu'on ne peut en lire ici. Réduisez-la, ou photographiez à nouveau avec moins de mégapixels.
error-photo-unknown = Les images de ce type ne peuvent pas être lues ici, et rien n'est envoyé qui pourrait contenir des détails cachés. Enregistrez-la en JPEG ou en PNG, ou envoyez-en une capture d'écran.
error-queue-empty = Aucune demande n'attend. Revenez voir plus tard.
error-relay-invalid = Ce n'est pas l'adresse d'un relais. Elle commence par « poterne-relay:// » et se termine par un port et un « # » suivi de 22 lettres ; copiez-la entière.
error-relay-unreachable = Aucun relais n'a pu être joint. Vérifiez le réseau et réessayez plus tard.
error-request-taken = Quelqu'un d'autre a pris cette demande. Prenez-en une autre avec « poterne claim » ; ce que vous avez écrit est gardé.
error-request-unknown = Cette demande n'est pas dans la file. Voyez la liste avec « poterne queue ».
error-rollback = Ce dossier est une copie ancienne : une plus récente a écrit dans cette conversation, donc rien n'a été envoyé. Continuez avec le dossier le plus récent, ou recommencez avec « poterne say --again ».
error-text-empty = Il n'y a pas de texte. Écrivez ce que vous voulez dire après la commande, ou donnez-le sur l'entrée standard.
error-text-too-long = Le texte est trop long pour un seul message. Envoyez-le en plusieurs parties.
error-text-unreadable = Ce qui est venu par l'entrée standard n'est pas du texte en UTF-8. Enregistrez-le en UTF-8 et réessayez.
error-unanswered = Tant de messages sont partis sans réponse qu'on ne peut plus en envoyer. Ce que vous avez écrit est gardé et partira quand une réponse sera là.
error-usage = { $message } Tapez « poterne --help » pour voir ce qu'on peut dire.
error-vault-damaged = Une partie du coffre est endommagée. Faites une copie du dossier avant toute autre chose, puis réessayez.
error-vault-failed = Le disque sous le coffre a failli : { $reason }. Vérifiez le disque et sa place libre, puis donnez de nouveau la commande.
error-vault-full = Le coffre est plein, et rien n'a été changé. Effacez ce dossier quand il ne servira plus, et continuez dans un nouveau.
error-vault-newer = Une version plus récente de Poterne a écrit ce coffre. Utilisez cette version.
error-vault-unknown = Le fichier qui devrait être le coffre n'en est pas un. Vérifiez --home ; s'il est juste, remettez votre copie du dossier.
error-wipe-unconfirmed = Rien n'a été effacé. Donnez de nouveau la commande et tapez le mot demandé, ou utilisez --yes.

## Reasons inside errors

reason-gone = qui devait la lire est parti
reason-large = le fichier est trop grand
reason-folder = c'est un dossier
reason-missing = il n'existe pas
reason-denied = la permission manque
reason-full = le disque est plein
reason-taken = le nom est déjà pris
reason-no-file = ce n'est ni un fichier ni un dossier
reason-read-only = le disque est en lecture seule

## Passphrases and questions

passphrase-ask = { "Phrase secrète : " }
passphrase-offer =
    Ce que vous écrivez et recevez est gardé dans un coffre chiffré sur cet ordinateur. Personne ne peut l'ouvrir sans sa phrase secrète, vous non plus : on ne peut ni vous l'envoyer ni la changer. Celle-ci a été faite pour vous :
    
    { "    " }{ $passphrase }
    
    Apprenez-la, ou notez-la là où personne ne regarde, et appuyez sur Entrée pour la prendre.
    Ou tapez la vôtre, d'au moins { $letters } caractères.
    { "" }
passphrase-choose = { "Phrase secrète (Entrée prend celle ci-dessus) : " }
passphrase-again = { "La même encore une fois : " }
passphrase-added = Cette phrase secrète ouvre un dossier à part dans le même coffre, et il est vide. Servez-vous-en de temps en temps, pour qu'il ait l'air habité ; rien n'y parle de celui-ci.
passphrase-burns = Cette phrase secrète ouvre un dossier à part dans le même coffre. La première fois qu'elle sert, tout le reste du coffre est écrasé sans un mot, ce dossier aussi.
passphrase-changed = Désormais, seule la nouvelle phrase secrète ouvre ce dossier. Une copie du coffre faite auparavant s'ouvre encore avec l'ancienne.
text-hint = Écrivez votre texte, puis terminez par Ctrl-D sur une ligne vide.
shell-hint = Tapez « help » pour voir ce qu'on peut dire, et Ctrl-D pour finir.
wipe-ask =
    Tout ce qui est dans { $path } sera perdu pour toujours : les messages, les clés, le moyen de vous joindre.
    Des copies qui en ont été faites, et certains disques, peuvent garder des états plus anciens.
    Tapez « { $word } » pour continuer :{ " " }
wipe-word = effacer
wiped = Le coffre a été écrasé et supprimé. Les copies faites ailleurs par vous ou par votre système ne sont pas touchées.

## Time

ago = il y a { $age }
just-now = à l'instant
age-minutes = { $count ->
    [one] { $count } minute
   *[other] { $count } minutes
}
age-hours = { $count ->
    [one] { $count } heure
   *[other] { $count } heures
}
age-days = { $count ->
    [one] { $count } jour
   *[other] { $count } jours
}

## Those who ask for help

ask-stored = Votre demande est scellée chez un relais. Quelqu'un l'y trouvera ; cherchez la réponse avec « poterne inbox ».
ask-queued = Votre demande est gardée ici et n'est pas encore envoyée. Toute commande suivante l'envoie, par exemple « poterne inbox ».
cover-stored = Envoyé : un message qui ne dit rien. Personne ne le voit.
say-stored = Envoyé. Le message reste scellé chez un relais jusqu'à ce qu'on vienne le chercher.
say-queued = Gardé ici, pas encore envoyé. Toute commande suivante l'envoie, par exemple « poterne inbox ».

## Conversations

from-you = Vous
from-requester = Demande
from-volunteer = Bénévole
file-photo = photo
file-other = fichier
file-arriving = { $done } parties sur { $of } sont là
file-complete = arrivé ; enregistrez-le avec --save et un dossier
file-damaged = abîmé en route ; s'il n'arrive pas, redemandez-le
file-expired = tout n'est pas arrivé à temps ; redemandez-le
file-no-room = attend sur un relais, faute de place ; enregistrez d'abord les autres fichiers
file-removed = déjà enregistré
file-saved = enregistré sous { $path }
file-saved-before = déjà enregistré
file-sending = { $done } parties sur { $of } sont envoyées
file-stored = envoyé
progress-files = Fichiers
message-newer = (Ce message demande une version plus récente de Poterne.)
message-unchecked = auteur pas encore vérifié
no-messages = Pas encore de messages.
state-queued = pas encore envoyé
state-stored = attend chez un relais
state-claimed = quelqu'un s'en occupe
state-answered = une réponse est venue
state-read = lu
state-expired = expiré

## How things stand

status-conversations = Vos conversations, chacune avec l'état de votre dernier texte :
status-no-conversations = Pas encore de conversation.
status-cases = Vos dossiers, chacun avec l'état de votre dernier texte :
status-no-cases = Pas encore de dossier.
status-waiting = { $count ->
    [0] Aucune demande n'attend.
    [one] { $count } demande attend.
   *[other] { $count } demandes attendent.
}
status-relays = Relais :
standing-claimed = pris, sans réponse encore
standing-closed = clos
standing-stopped = arrêté
relay-reached = répond
relay-unreached = ne répond pas

## Warnings

warning-another-volunteer = Une autre personne répond maintenant.
warning-case-stopped = Ce dossier est arrêté : une copie plus récente y a écrit, ou quelqu'un d'autre en a les clés. Continuez avec la plus récente, ou fermez le dossier.
warning-clock-off = L'horloge de cette machine se trompe de { $days ->
    [one] { $days } jour
   *[other] { $days } jours
}, donc rien ne peut être envoyé. Réglez-la ; si c'est impossible, donnez de nouveau la commande avec --believe-relays-clock.
warning-closed = Le ou la bénévole a clos cette conversation.
warning-fork = Quelqu'un d'autre écrit avec les clés de cette conversation. Plus rien n'y est envoyé ; recommencez avec « poterne say --again ».
warning-few-notices = On ne trouvera plus ce guichet que pendant { $days ->
    [one] { $days } jour
   *[other] { $days } jours
}. Toute commande qui joint un relais publie les jours suivants.
warning-missing = Un message manque encore, bien qu'un plus récent soit là. Il peut encore arriver ; sinon, une autre copie de ce dossier l'a pris, ou il est perdu : demandez qu'on le répète.
warning-notice = Ce que les relais montrent comme avis du guichet n'est pas authentique, ou trop ancien. Rien n'est envoyé avant qu'un avis authentique soit là.
warning-price = Un relais ne prend rien sans paiement en ce moment. Vos textes sont gardés ici et réessayés.
warning-foreign-notice = Un relais montre un avis que ce guichet n'a pas fait. Ne répondez à aucune nouvelle demande avant que les responsables du guichet aient vérifié.
warning-log-taken = Un relais refuse d'ouvrir le journal des avis d'un jour à venir : quelqu'un qui a la carte l'a peut-être ouvert avant. L'avis de ce jour se trouve sur les autres relais ; demandez des autorisations à qui gère celui-ci.
warning-missing-notice = Un relais ne montre pas un avis que ce guichet y a publié. Il est publié de nouveau ; si cela dure, quittez ce relais.
warning-refused = Un relais refuse d'ouvrir ce qu'il faut à ce guichet. Il demande peut-être une autorisation : voyez avec qui le gère.
warning-relay-wrong = Ce qui répond à l'adresse d'un relais n'est pas le relais attendu ; rien ne lui a été donné. Essayez un autre réseau ; si cela n'aide pas, demandez à qui vous a donné la carte ou l'adresse.
warning-rollback = Ce dossier est une copie ancienne : une plus récente a écrit dans cette conversation. Plus rien n'y est envoyé ; recommencez avec « poterne say --again ».
warning-unanswered = Tant de messages sont partis sans réponse qu'on ne peut plus en envoyer. Attendez la réponse.
warning-unchecked = Une réponse est là, mais on ne peut pas encore vérifier qui l'a écrite. Rien n'est envoyé avant.
warning-unreached = Tous les relais n'ont pas pu être joints. Il y a peut-être encore autre chose chez eux.

## Those who answer

card-hint = Qui a cette carte peut écrire au guichet. Donnez-la à celles et ceux qui pourraient avoir besoin d'aide, comme cela leur convient.
desk-open = Le guichet est ouvert. Voici sa carte :
desk-waits = Le guichet est créé, mais aucun relais n'a encore répondu. Toute commande suivante l'ouvre, par exemple « poterne queue ». Voici sa carte :
queue-none = Aucune demande n'attend.
queue-hint = Prenez-en une avec « poterne claim » et son numéro, ou la plus ancienne avec « poterne claim » seul.
request-incomplete = (Le texte continue ; la suite n'est pas encore arrivée.)
request-newer = (Elle a été écrite avec une version plus récente de Poterne, et une partie peut manquer. Procurez-vous cette version.)
claimed = C'est le dossier { $case }. La demande est à vous pour { $time } : répondez avec « poterne reply », ou rendez-la avec « poterne release ».
released = La demande est de retour dans la file.
closed = Le dossier est clos, et l'autre côté en est informé.
closed-queued = Le dossier est clos. L'autre côté en sera informé dès qu'un relais pourra être joint.
