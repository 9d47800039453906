"""Emoji short names, as far as people and bots use them in incidents and small talk."""

import re

_TABLE = """
red_circle 🔴|large_orange_circle 🟠|orange_circle 🟠|large_yellow_circle 🟡|yellow_circle 🟡|large_green_circle 🟢
green_circle 🟢|large_blue_circle 🔵|blue_circle 🔵|large_purple_circle 🟣|purple_circle 🟣|white_circle ⚪
black_circle ⚫|large_brown_circle 🟤|large_red_square 🟥|large_green_square 🟩|large_yellow_square 🟨
large_blue_square 🟦|large_orange_square 🟧|white_large_square ⬜|black_large_square ⬛|white_check_mark ✅
heavy_check_mark ✔️|ballot_box_with_check ☑️|x ❌|negative_squared_cross_mark ❎|heavy_multiplication_x ✖️
warning ⚠️|rotating_light 🚨|fire 🔥|fire_engine 🚒|bell 🔔|no_bell 🔕|mute 🔇|loud_sound 🔊|boom 💥|zap ⚡|bomb 💣
no_entry ⛔|no_entry_sign 🚫|octagonal_sign 🛑|stop_sign 🛑|construction 🚧|hammer 🔨|wrench 🔧|hammer_and_wrench 🛠️
tools 🛠️|gear ⚙️|nut_and_bolt 🔩|screwdriver 🪛|toolbox 🧰|robot_face 🤖|robot 🤖|mag 🔍|mag_right 🔎|microscope 🔬
telescope 🔭|bulb 💡|memo 📝|pencil 📝|pencil2 ✏️|clipboard 📋|page_facing_up 📄|page_with_curl 📃|books 📚|book 📖
open_book 📖|bookmark 🔖|bookmark_tabs 📑|notebook 📓|ledger 📒|label 🏷️|link 🔗|paperclip 📎|pushpin 📌
round_pushpin 📍|file_folder 📁|open_file_folder 📂|file_cabinet 🗄️|card_index 📇|inbox_tray 📥|outbox_tray 📤
package 📦|mailbox 📫|email 📧|envelope ✉️|incoming_envelope 📨|phone ☎️|telephone_receiver 📞|pager 📟|calling 📲
iphone 📱|computer 💻|desktop_computer 🖥️|keyboard ⌨️|floppy_disk 💾|cd 💿|battery 🔋|electric_plug 🔌
satellite_antenna 📡|signal_strength 📶|bar_chart 📊|chart_with_upwards_trend 📈|chart_with_downwards_trend 📉
clock1 🕐|clock3 🕒|clock9 🕘|alarm_clock ⏰|stopwatch ⏱️|timer_clock ⏲️|hourglass ⌛
hourglass_flowing_sand ⏳|watch ⌚|calendar 📆|date 📅|spiral_calendar_pad 🗓️|arrow_up ⬆️|arrow_down ⬇️|arrow_left ⬅️
arrow_right ➡️|arrow_upper_right ↗️|arrow_lower_right ↘️|arrow_right_hook ↪️|leftwards_arrow_with_hook ↩️
rewind ⏪|fast_forward ⏩|back 🔙|arrows_counterclockwise 🔄|arrows_clockwise 🔃|repeat 🔁|repeat_one 🔂
twisted_rightwards_arrows 🔀|arrow_forward ▶️|arrow_backward ◀️|double_vertical_bar ⏸️|pause_button ⏸️
black_square_for_stop ⏹️|stop_button ⏹️|record_button ⏺️|heavy_plus_sign ➕|heavy_minus_sign ➖|question ❓
grey_question ❔|exclamation ❗|heavy_exclamation_mark ❗|bangbang ‼️|information_source ℹ️|new 🆕|ok 🆗|sos 🆘
id 🆔|1234 🔢|abc 🔤|key 🔑|lock 🔒|unlock 🔓|closed_lock_with_key 🔐|shield 🛡️|passport_control 🛂|eyes 👀|eye 👁️
+1 👍|thumbsup 👍|-1 👎|thumbsdown 👎|ok_hand 👌|clap 👏|raised_hands 🙌|pray 🙏|wave 👋|point_right 👉|point_left 👈
point_up ☝️|point_down 👇|muscle 💪|handshake 🤝|raised_hand ✋|hand ✋|writing_hand ✍️|crossed_fingers 🤞|v ✌️
smile 😄|smiley 😃|grinning 😀|grin 😁|joy 😂|rofl 🤣|slightly_smiling_face 🙂|upside_down_face 🙃|wink 😉|blush 😊
heart_eyes 😍|thinking_face 🤔|thinking 🤔|neutral_face 😐|expressionless 😑|no_mouth 😶|face_with_rolling_eyes 🙄
smirk 😏|persevere 😣|disappointed 😞|worried 😟|cry 😢|sob 😭|scream 😱|fearful 😨|cold_sweat 😰|sweat 😓
sweat_smile 😅|angry 😠|rage 😡|sleeping 😴|zzz 💤|sunglasses 😎|nerd_face 🤓|confused 😕|open_mouth 😮|astonished 😲
flushed 😳|dizzy_face 😵|exploding_head 🤯|partying_face 🥳|shrug 🤷|facepalm 🤦|face_palm 🤦|ghost 👻|alien 👽
skull 💀|heart ❤️|broken_heart 💔|yellow_heart 💛|green_heart 💚|blue_heart 💙|purple_heart 💜|star ⭐|star2 🌟
sparkles ✨|tada 🎉|confetti_ball 🎊|balloon 🎈|gift 🎁|trophy 🏆|medal 🏅|first_place_medal 🥇|crown 👑|gem 💎
moneybag 💰|dollar 💵|credit_card 💳|shopping_trolley 🛒|shopping_bags 🛍️|convenience_store 🏪|office 🏢|hospital 🏥
house 🏠|rocket 🚀|airplane ✈️|ship 🚢|anchor ⚓|car 🚗|truck 🚚|train 🚆|ambulance 🚑|police_car 🚓|bike 🚲
traffic_light 🚦|vertical_traffic_light 🚦|checkered_flag 🏁|triangular_flag_on_post 🚩|sunny ☀️|cloud ☁️|rain_cloud 🌧️
lightning_cloud 🌩️|thunder_cloud_and_rain ⛈️|snowflake ❄️|umbrella ☔|ocean 🌊|droplet 💧|earth_africa 🌍
globe_with_meridians 🌐|seedling 🌱|deciduous_tree 🌳|evergreen_tree 🌲|herb 🌿|four_leaf_clover 🍀|mushroom 🍄|bug 🐛
beetle 🐞|spider 🕷️|snail 🐌|turtle 🐢|snake 🐍|whale 🐳|dolphin 🐬|fish 🐟|octopus 🐙|crab 🦀|cat 🐱|dog 🐶|monkey 🐵
see_no_evil 🙈|hear_no_evil 🙉|speak_no_evil 🙊|unicorn_face 🦄|owl 🦉|penguin 🐧|elephant 🐘|coffee ☕|tea 🍵|beer 🍺
beers 🍻|pizza 🍕|hamburger 🍔|popcorn 🍿|apple 🍎|banana 🍌|cake 🍰|birthday 🎂|cookie 🍪|doughnut 🍩|dart 🎯|game_die 🎲
jigsaw 🧩|art 🎨|musical_note 🎵|microphone 🎤|headphones 🎧|camera 📷|movie_camera 🎥|tv 📺|speech_balloon 💬
thought_balloon 💭|left_speech_bubble 🗨️|mega 📣|loudspeaker 📢|busts_in_silhouette 👥|bust_in_silhouette 👤|detective 🕵️
female-firefighter 👩‍🚒|male-technologist 👨‍💻|technologist 🧑‍💻|brain 🧠|ear 👂|footprints 👣|recycle ♻️|infinity ♾️
wastebasket 🗑️|broom 🧹|thermometer 🌡️|pill 💊|syringe 💉|adhesive_bandage 🩹|dna 🧬|test_tube 🧪|abacus 🧮|scales ⚖️
chains ⛓️|brick 🧱|ladder 🪜|compass 🧭|world_map 🗺️|white_small_square ▫️|black_small_square ▪️|small_red_triangle 🔺
small_red_triangle_down 🔻|small_blue_diamond 🔹|small_orange_diamond 🔸|large_blue_diamond 🔷|large_orange_diamond 🔶
one 1️⃣|two 2️⃣|three 3️⃣|four 4️⃣|five 5️⃣|six 6️⃣|seven 7️⃣|eight 8️⃣|nine 9️⃣|zero 0️⃣|keycap_ten 🔟|100 💯|hash #️⃣
"""

EMOJI: dict[str, str] = dict(
    (entry.split(" ", 1)[0], entry.split(" ", 1)[1]) for line in _TABLE.split("\n") for entry in line.split("|") if entry
)
SHORTCODE = re.compile(r":([a-z0-9_+'\-]{1,64})(?:::skin-tone-[2-6])?:")


def is_emoji_name(name: str) -> bool:
    return name.split("::")[0] in EMOJI


def with_emoji(text: str) -> str:
    """The same text with known short names as emoji; unknown ones stay as they are."""
    return SHORTCODE.sub(lambda match: EMOJI.get(match[1], match[0]), text)
