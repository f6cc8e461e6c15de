"""COCO's 80 objects -> the words that name them in captions (Showtell's own list), and words that only seem to do so.

`PLURALS` gives each name its plural; an irregular plural follows a slash. The list does not contain words that mostly
mean something else in a caption: `orange` (a colour), `chicken` (a dish), `glass`, `board`, `bag`, `plant`, `computer`,
and sports such as `baseball` or `football`, which rarely mean the ball.
"""

import re

OBJECTS = {
    "person": """person/people, persons, man, woman, boy, girl, child/children, kid, baby, toddler, infant,
        newborn, guy, lady, gentleman, dude, lad, gal, male, female, adult, teen, teenager, youth, youngster,
        human/humans, someone, somebody, everyone, folk, crowd, audience, spectator, bystander, onlooker, pedestrian,
        passenger, commuter, tourist, visitor, guest, customer, shopper, mother, father, mom, mum, dad, parent, son,
        daughter, brother, sister, husband, wife/wives, grandmother, grandfather, grandma, grandpa, friend, bride,
        groom, student, teacher, chef, baker, waiter, waitress, bartender, cashier, vendor, worker, farmer, fisherman,
        businessman, businesswoman, fireman, firefighter, policeman, policewoman, police, officer, cop, soldier,
        sailor, doctor, nurse, priest, monk, nun, cowboy, cowgirl, shepherd, clown, singer, musician, guitarist,
        dancer, performer, artist, actor, photographer, driver, rider, cyclist, bicyclist, biker, motorcyclist, skier,
        snowboarder, skateboarder, skater, surfer, windsurfer, kitesurfer, paddler, kayaker, rower, swimmer, hiker,
        climber, jogger, runner, golfer, athlete, gymnast, cheerleader, player, teammate, opponent, batter, hitter,
        pitcher, catcher, fielder, outfielder, infielder, baseman, shortstop, umpire, referee, goalie, goalkeeper,
        quarterback, train conductor, bus driver, truck driver, boat driver, horse rider, bike rider, sheep herder,
        keyboard player""",
    "bicycle": "bicycle, bike, mountain bike, tandem, tricycle, unicycle",
    "car": """car, automobile, sedan, suv, minivan, van, taxi, taxi cab, taxicab, cab, jeep, hatchback, limo,
        limousine, police car, sports car, race car, station wagon""",
    "motorcycle": """motorcycle, motorbike, motor bike, motor cycle, dirt bike, moped, scooter, motor scooter,
        motorscooter, vespa""",
    "airplane": """airplane, aeroplane, plane, air plane, aircraft/aircraft, airliner, jetliner, jet, jumbo jet,
        jet plane, biplane, seaplane, passenger jet, fighter jet""",
    "bus": """bus, school bus, tour bus, double decker, double decker bus, double-decker bus, minibus, mini bus,
        autobus, trolley bus""",
    "train": """train, train car, train engine, locomotive, rail car, railcar, railroad car, railway car, subway
        car, box car, boxcar, passenger train, freight train, steam engine, tram, street car, streetcar, trolley car,
        cable car""",
    "truck": """truck, lorry, pickup, pickup truck, pick up truck, fire truck, firetruck, fire engine, tow truck,
        dump truck, garbage truck, food truck, semi truck, tractor trailer, eighteen wheeler, moving van""",
    "boat": """boat, ship, sailboat, sail boat, rowboat, row boat, speedboat, speed boat, motorboat, motor boat,
        tugboat, tug boat, houseboat, fishing boat, canoe, kayak, ferry, ferry boat, yacht, raft, dinghy, gondola,
        barge, catamaran, vessel, cruise ship, paddle boat""",
    "traffic light": "traffic light, traffic signal, stop light, stoplight, trafficlight, signal light, traffic lamp",
    "fire hydrant": "fire hydrant, hydrant, fire plug, fireplug, water hydrant",
    "stop sign": "stop sign, stopsign",
    "parking meter": "parking meter, meter, park meter",
    "bench": "bench, park bench, picnic bench, pew",
    "bird": """bird, birdie, pigeon, dove, seagull, sea gull, gull, sparrow, parrot, parakeet, cockatoo, macaw,
        owl, eagle, hawk, falcon, vulture, crow, raven, magpie, robin, finch, woodpecker, hummingbird, humming bird,
        duck, duckling, mallard, goose/geese, gosling, swan, heron, egret, stork, pelican, flamingo, penguin, ostrich,
        emu, peacock, hen, rooster, chick, chickens, songbird, blue jay, bluejay, cardinal""",
    "cat": "cat, kitten, kitty, kitty cat, feline, tabby, tom cat, tomcat, house cat, siamese",
    "dog": """dog, puppy, puppy dog, pup, doggy, doggie, canine, hound, mutt, poodle, terrier, pit bull, pitbull,
        bulldog, bull dog, labrador, retriever, golden retriever, beagle, collie, corgi, dachshund, dalmatian, pug,
        husky, chihuahua, spaniel, greyhound, rottweiler, schnauzer, doberman/dobermans, german shepherd, sheepdog,
        sheep dog, guide dog, police dog, great dane, saint bernard, st bernard""",
    "horse": "horse, pony, foal, colt, mare, stallion, horse-drawn, mustang, bronco, clydesdale, police horse",
    "sheep": "sheep/sheep, lamb, ewe, ram",
    "cow": "cow, cattle, bull, calf/calves, ox/oxen, heifer, steer, longhorn, dairy cow, bison, buffalo/buffalo",
    "elephant": "elephant, elephant calf/elephant calves",
    "bear": "bear, polar bear, grizzly, grizzly bear, brown bear, black bear, bear cub, panda, panda bear",
    "zebra": "zebra",
    "giraffe": "giraffe, giraffe calf/giraffe calves",
    "backpack": "backpack, back pack, rucksack, knapsack, book bag, bookbag",
    "umbrella": "umbrella, parasol, beach umbrella, sun umbrella",
    "handbag": "handbag, hand bag, purse, pocketbook, shoulder bag, tote bag, clutch bag",
    "tie": "tie, necktie, neck tie, bow tie, bowtie",
    "suitcase": "suitcase, suit case, luggage, baggage, piece of luggage/pieces of luggage, briefcase",
    "frisbee": "frisbee, frisbie, frizbee, flying disc, flying disk",
    "skis": "skis, pair of skis/pairs of skis, water skis, snow skis",
    "snowboard": "snowboard, snow board",
    "sports ball": """ball, soccer ball, tennis ball, beach ball, golf ball, basket ball, bowling ball, cricket
        ball, rugby ball, volley ball, baseballs, basketballs, footballs, volleyballs""",
    "kite": "kite, parasail",
    "baseball bat": "baseball bat, bat, ball bat, softball bat",
    "baseball glove": "baseball glove, baseball mitt, catcher 's mitt, catchers mitt, mitt, fielder 's glove",
    "skateboard": "skateboard, skate board, longboard, long board",
    "surfboard": "surfboard, surf board, paddle board, paddleboard, body board, boogie board",
    "tennis racket": "tennis racket, tennis racquet, racket, racquet, tennis rackets, tennis paddle",
    "bottle": "bottle, water bottle, wine bottle, beer bottle, bottle of wine/bottles of wine",
    "wine glass": """wine glass, wineglass, glass of wine/glasses of wine, champagne glass, champagne flute,
        goblet, glass of champagne/glasses of champagne""",
    "cup": "cup, mug, teacup, tea cup, coffee cup, coffee mug, paper cup",
    "fork": "fork, salad fork",
    "knife": "knife/knives, pocket knife/pocket knives, butter knife/butter knives, steak knife/steak knives",
    "spoon": "spoon, teaspoon, tablespoon, soup spoon",
    "bowl": "bowl, soup bowl, salad bowl, dog bowl, mixing bowl",
    "banana": "banana, plantain",
    "apple": "apple",
    "sandwich": """sandwich, hamburger, burger, cheeseburger, cheese burger, panini, blt, grilled cheese, club
        sandwich, submarine sandwich, hoagie""",
    "orange": """oranges, orange slice, slice of orange/slices of orange, orange fruit, peeled orange, orange
        half/orange halves, tangerine, clementine, an orange on, an orange in, an orange next, an orange sitting""",
    "broccoli": "broccoli, brocolli, broccolli, broccoli floret",
    "carrot": "carrot, baby carrot, carrot stick",
    "hot dog": "hot dog, hotdog, hot-dog, chili dog, frankfurter, wiener",
    "pizza": "pizza, pizza pie, slice of pizza/slices of pizza",
    "donut": "donut, doughnut, dough nut",
    "cake": "cake, cupcake, cup cake, cheesecake, cheese cake, birthday cake, wedding cake, carrot cake, banana cake",
    "chair": """chair, armchair, arm chair, lawn chair, beach chair, rocking chair, high chair, highchair, office
        chair, desk chair, stool, bar stool, barstool, recliner""",
    "couch": "couch, sofa, sofa bed, loveseat, love seat, settee, futon, sectional",
    "potted plant": """potted plant, houseplant, house plant, pot plant, plant pot, flower pot, flowerpot, potted
        flower, potted tree, plant in a pot/plants in pots, plant in pots, indoor plant""",
    "bed": "bed, bunk bed, twin bed, mattress, cot, crib, bunk",
    "dining table": """dining table, dinner table, dining room table, kitchen table, picnic table, coffee table,
        table, desk""",
    "toilet": "toilet, commode, toilet bowl, toilet seat, latrine",
    "tv": """tv, tv set, television, television set, monitor, computer monitor, computer screen, flat screen,
        flatscreen, flat screen tv, flat screen television, tv screen, television screen""",
    "laptop": "laptop, laptop computer, lap top, notebook computer, netbook, macbook",
    "mouse": "mouse/mice, computer mouse/computer mice, laptop mouse, wireless mouse",
    "remote": """remote, remote control, remote controller, tv remote, television remote, wii remote, wiimote, wii
        controller, game controller, video game controller, game remote, controller""",
    "keyboard": "keyboard, computer keyboard, laptop keyboard, key board",
    "cell phone": """cell phone, cellphone, phone, mobile phone, smartphone, smart phone, iphone, flip phone,
        camera phone""",
    "microwave": "microwave, microwave oven",
    "oven": "oven, stove, stovetop, stove top, stove top oven, toaster oven, pizza oven, stove oven",
    "toaster": "toaster",
    "sink": "sink, sink bowl, wash basin, washbasin, basin",
    "refrigerator": "refrigerator, fridge, freezer, refridgerator",
    "book": "book, textbook, text book, novel, paperback, comic book, cookbook, cook book, picture book",
    "clock": "clock, alarm clock, wall clock, grandfather clock, clock face, clock tower, clocktower",
    "vase": "vase, flower vase",
    "scissors": "scissors, scissor, pair of scissors/pairs of scissors, shears",
    "teddy bear": """teddy bear, teddybear, teddy, stuffed bear, stuffed teddy bear, toy bear, plush bear, stuffed
        animal, stuffed toy, plush toy, stuffed dog, stuffed cat, stuffed elephant, stuffed giraffe, stuffed zebra,
        stuffed cow, stuffed sheep, stuffed horse, stuffed bird, stuffed mouse/stuffed mice""",
    "hair drier": "hair drier, hair dryer, hairdrier, hairdryer, blow drier, blow dryer, blowdryer",
    "toothbrush": "toothbrush, tooth brush, electric toothbrush",
}

# These contain the name of an object, but name none of the 80: a `dog house` is no dog.
NO_OBJECTS = """
    gingerbread man, cd player, dvd player, record player, music player, tape player, table runner, pitcher of, cake
    batter, pancake batter, pan cake, crab cake, rice cake, fish cake, bike rack, bicycle rack, bike lane, bicycle
    lane, bike path, bike trail, bike helmet, bicycle helmet, exercise bike, car seat, car park, jet ski, bus stop,
    bus station, bus depot, bus lane, bus shelter, bus terminal, train station, train track, train platform, train
    depot, train yard, train stop, train tunnel, truck stop, truck bed, bed of, flower bed, river bed, garden bed, dog
    bed, bed sheet, bed spread, boat house, boat dock, gravy boat, street light, work bench, bench press, birdhouse,
    bird house, bird cage, bird feeder, bird bath, rubber duck, rubber ducky/rubber duckies, duck tape, cat food, cat
    toy, dog house, dog food, dog park, dog toy, dog leash, dog collar, dog tag, corn dog, rocking horse, sea horse,
    saw horse, horse stable, lamb chop, zebra crossing, zebra print, zebra crosswalk, gummy bear, bear market, tie
    dye, tie dyed, to tie, tie his, tie her, tie a, tie up, ties his, ties her, ties a, ties up, ball room, ball gown,
    ball cap, ball park, ball field, ball game, disco ball, meat ball, cotton ball, ball bearing, snow ball, fruit
    bat, vampire bat, cricket bat, at bat, to bat, oven mitt, world cup, bottle opener, bottle cap, fork lift, super
    bowl, banana bread, banana split, banana tree, banana leaf/banana leaves, apple pie, apple juice, apple tree,
    apple cider, apple logo, apple sauce, orange juice, pizza box, pizza cutter, pizza parlor, pizza place, pizza
    shop, chair lift, wheel chair, table tennis, pool table, table cloth, table top, toilet paper, toilet brush,
    toilet tissue, toilet plunger, tv stand, television stand, tv tray, tv show, tv station, laptop bag, laptop case,
    mickey mouse, minnie mouse, mouse pad, mousepad, mouse trap, remote area, remote location, remote road, remote
    beach, remote island, remote field, piano keyboard, musical keyboard, electronic keyboard, phone booth, phone box,
    phone book, phone pole, pay phone, book shelf/book shelves, book case, book store, book end, book stand,
    toothbrush holder, knife block, knife holder, cup holder, wine glass holder
"""

# These name people, unless the next words name another object: a baby elephant, a police car, a passenger train.
ADJECTIVES = ["adult", "baby", "child", "female", "male", "mother", "father", "passenger", "police"]

PLURALS = ((r"man$", "men"), (r"(s|x|z|ch|sh)$", r"\1es"), (r"([^aeiou])y$", r"\1ies"), (r"$", "s"))


def named() -> dict[str, str | None]:
    """Every name (one or more words) -> its object, or None if it names none of the 80."""
    table: dict[str, str | None] = dict.fromkeys(_forms(NO_OBJECTS))
    table |= {form: name for name, names in OBJECTS.items() for form in _forms(names)}
    table |= {form.replace(" ", "-"): name for form, name in table.items() if form.count(" ") == 1}
    others = {form: name for form, name in table.items() if name not in (None, "person")}
    return {f"{word} {form}": name for word in ADJECTIVES for form, name in others.items()} | table


def _forms(names: str) -> list[str]:
    """`bus, knife/knives` -> bus, buses, knife, knives."""
    forms = []
    for entry in " ".join(names.split()).split(", "):
        one, _, many = entry.partition("/")
        forms += [one, many or _plural(one)]
    return forms


def _plural(name: str) -> str:
    """The name with its last word in the plural, by the first rule that fits: `toy bus` -> `toy buses`."""
    pattern, ending = next(rule for rule in PLURALS if re.search(rule[0], name))
    return re.sub(pattern, ending, name, count=1)
