<?php

// The people of this identity provider, from settings.json: user name => [password, attributes].

$settings = json_decode(file_get_contents(getenv('PROVOST_E2E_IDP') . '/settings.json'), true);

$config = [
    'admin' => ['core:AdminPassword'],
    'people' => ['exampleauth:UserPass'],
];
foreach ($settings['users'] as $name => $user) {
    $config['people'][$name . ':' . $user['password']] = $user['attributes'];
}
